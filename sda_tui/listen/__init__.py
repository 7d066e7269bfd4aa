"""The listener page: the sounds of a run in a browser on another machine, through an SSH tunnel."""
