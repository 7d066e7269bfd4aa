"""What can go wrong, as sentences for the user: what is wrong, with which file or value, what to do."""


class SdaError(Exception):
    """Base of all errors that are shown to the user as they are, without a traceback."""


class ConfigError(SdaError):
    """A setting, preset or device name that cannot be used."""


class AudioFileError(SdaError):
    """A sound file that cannot be read; the message does not repeat its path."""


class UnsupportedFormatError(AudioFileError):
    """A file that is no sound in any format that can be decoded here."""


class DatasetError(SdaError):
    """A folder of sounds that cannot be scanned or trained on."""


class RunError(SdaError):
    """A run directory that cannot be made, read or continued."""


class CheckpointError(SdaError):
    """A checkpoint that is damaged, foreign or does not fit the run."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint whose bytes are not those that were written."""


class TrainingError(SdaError):
    """A run that cannot go on; its state is saved."""


class Cancelled(Exception):
    """The user asked to stop.  Raised at the next safe point, caught where the state is saved."""
