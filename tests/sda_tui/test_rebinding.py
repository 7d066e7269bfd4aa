"""Keys of the user's own: which can be had, and what is said of the others."""

import string

import pytest
from textual.keys import _character_to_key, format_key

from sda_tui.keymap import KEYMAP, USER_KEYS, commands_by_id, key_of, show_key
from sda_tui.keymap.rebinding import NAME_OF, as_keymap, is_key, resolve_keys


def refusals(**wanted: str) -> list[str]:
    return [each.message for each in resolve_keys({id: keys.split() for id, keys in wanted.items()})[1]]


def test_a_wanted_key_replaces_all_of_a_command() -> None:
    keys, refused = resolve_keys({"dashboard.save": ["f5", "ctrl+s"], "runs.view": ["%"]})
    assert refused == []
    assert as_keymap(keys) == {"dashboard.save": "f5,ctrl+s", "runs.view": "percent_sign"}


def test_two_commands_may_swap_their_keys() -> None:
    save, cancel = (commands_by_id()[f"dashboard.{name}"].keys for name in ("save", "cancel"))
    keys, refused = resolve_keys({"dashboard.save": [cancel], "dashboard.cancel": [save]})
    assert refused == []
    assert keys == {"dashboard.save": (cancel,), "dashboard.cancel": (save,)}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"dashboard.save": "c"},
            "c is the key of dashboard.cancel (Cancel) too. dashboard.save (Save) keeps s.",
        ),
        ({"app.help": "f1", "dashboard.save": "f1"}, "f1 is the key of app.help (Help) too."),
        ({"app.help": "c"}, "c is the key of dashboard.cancel (Cancel) too."),
        ({"dashbord.save": "f5"}, "there is no command dashbord.save (did you mean dashboard.save?)."),
        ({"dashboard.save": "ctlr+s"}, '"ctlr+s" is no key (did you mean ctrl+s?).'),
        ({"dashboard.save": "F5"}, '"F5" is no key.'),
        ({"dashboard.save": "ctrl+i"}, "terminals send the same for ctrl+i as for tab."),
    ],
)
def test_what_is_wrong_with_a_wanted_key_is_said(wanted: dict[str, str], message: str) -> None:
    assert [each[: len(message)] for each in refusals(**wanted)] == [message]


def test_of_two_wishes_for_a_key_the_first_is_met() -> None:
    keys, refused = resolve_keys({"dashboard.save": ["f5"], "dashboard.cancel": ["f5"]})
    assert keys == {"dashboard.save": ("f5",)}
    assert [each.id for each in refused] == ["dashboard.cancel"]


def test_every_key_of_the_table_is_one_that_a_user_may_write() -> None:
    for command in commands_by_id().values():
        assert all(map(is_key, command.default_keys)), command.id


def test_characters_are_called_as_textual_calls_them_and_shown_as_themselves() -> None:
    assert {each: _character_to_key(each) for each in string.punctuation} == NAME_OF
    assert all(show_key(name) == format_key(name) == each for each, name in NAME_OF.items())


def test_sentences_name_the_key_that_works() -> None:
    assert (key_of("datasets.runs"), key_of("settings.start"), key_of("app.help")) == ("r", "n", "?")
    USER_KEYS.use({"datasets.runs": ("ctrl+r", "f2")})
    try:
        assert key_of("datasets.runs") == "^r"
    finally:
        USER_KEYS.use({})


def test_the_table_itself_has_no_clash() -> None:
    assert KEYMAP
    assert resolve_keys({}) == ({}, [])
