"""Bodies: read to their end within a time and a size, and looked at before anything parses them."""

from __future__ import annotations

import re

import numpy as np

DEEPEST = 32

OPENING = ord("[")
BRACKETS = bytes.maketrans(b"{}", b"[]")
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# Also one that does not end: else each of its quotes would be tried as a beginning.
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
PAIR = re.compile(rb"\\u[d][89ab][0-9a-f]{2}\\u[d][c-f][0-9a-f]{2}")
NO_NUMBER = re.compile(rb"NaN|Infinity")


def fault_of(body: bytes) -> str | None:
    """What makes a JSON body hostile, before it is parsed; None where nothing does.

    Whether it is JSON at all is for the parser to say. Raises nothing, whatever the bytes are;
    takes time in proportion to their number.
    """
    if b"\0" in body:
        return "a NUL character"
    if b"\\u" in body and (found := _in_escapes(body)):
        return found
    try:
        body.decode()
    except UnicodeDecodeError:
        return "bytes that are not UTF-8"
    is_deep = body.count(b"[") + body.count(b"{") > DEEPEST
    if is_deep or NO_NUMBER.search(body):
        outside = STRING.sub(b"", body)
        if _is_too_deep(outside):
            return f"brackets in brackets, more than {DEEPEST} deep"
        if NO_NUMBER.search(outside):
            return "NaN or Infinity, which is no JSON"
    return None


def _in_escapes(body: bytes) -> str | None:
    # Of a run of backslashes every two are one of text; what is left over begins an escape.
    escapes = body.replace(b"\\\\", b" ").lower()
    if b"\\u0000" in escapes:
        return "a NUL character"
    if b"\\ud" in escapes and re.search(rb"\\ud[89a-f]", PAIR.sub(b" ", escapes)):
        return "half a character (a lone surrogate)"
    return None


def _is_too_deep(outside: bytes) -> bool:
    """Whether brackets outside of strings nest deeper than DEEPEST."""
    brackets = np.frombuffer(outside.translate(BRACKETS, NO_BRACKETS), np.uint8)
    steps = np.where(brackets == OPENING, np.int8(1), np.int8(-1))
    return bool(steps.cumsum(dtype=np.int32).max(initial=0) > DEEPEST)
