"""The names that folders of splits have: train, val, test, and what people make of these words."""

from __future__ import annotations

import re
from typing import Literal, get_args

Role = Literal["train", "val", "test"]
ROLES: tuple[Role, ...] = get_args(Role)

_WORDS: dict[Role, str] = {
    "train": "train training trainset trainval trn",
    "val": "val valid validate validation valset dev vld",
    "test": "test testing testset eval evaluation holdout tst",
}
_ROLE_BY_WORD: dict[str, Role] = {word: role for role in ROLES for word in _WORDS[role].split()}
_WORDS_BESIDE = {"image", "images", "img", "imgs", "data", "dataset", "set", "split", "folder", "only"}
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def role_of(name: str) -> Role | None:
    """Return the split that a folder name means, or None.

    One of the words of the name is that of a split, whatever the case: ``val2017``, ``Final_Training``, ``trainA``. A
    name with the words of two splits means neither.

    Examples
    --------
    >>> role_of("train"), role_of("seg_test"), role_of("validation-2012"), role_of("bus"), role_of("latest")
    ('train', 'test', 'val', None, None)
    """
    roles = {_ROLE_BY_WORD.get(token.lower()) for token in _TOKEN.findall(name)} - {None}
    return roles.pop() if len(roles) == 1 else None


def is_name_of_split(name: str) -> bool:
    """Tell whether a folder name has no meaning but that of a split.

    Examples
    --------
    >>> [is_name_of_split(name) for name in ("test", "val_2", "test_images", "blood test", "bus")]
    [True, True, True, False, False]
    """
    words = {token.lower() for token in _TOKEN.findall(name) if not token.isdecimal()}
    return role_of(name) is not None and all(word in _ROLE_BY_WORD or word in _WORDS_BESIDE for word in words)
