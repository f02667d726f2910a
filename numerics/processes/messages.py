"""Messages between a pool and its workers: a length, and so many bytes of pickled values."""

from __future__ import annotations

import pickle
import struct
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

_LENGTH = struct.Struct("<Q")


class WorkerTraceback(Exception):
    """Where in a worker an error was raised: the cause of the error that the caller sees."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


@dataclass(frozen=True)
class Answer:
    """What became of a call."""

    #: What it returned.
    value: Any = None
    #: What it raised.
    error: BaseException | None = None
    #: Where that was raised, where another process says so.
    trace: str = ""
    #: Wall-clock seconds it took.
    seconds: float = 0.0


def send(stream: BinaryIO, content: bytes) -> None:
    """Write a message."""
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def receive(stream: BinaryIO) -> bytes | None:
    """Read a message; None where the other end is closed, be it in the middle of one."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    content = stream.read(length)
    return content if len(content) == length else None


def packed_call(call: Callable[[], Any]) -> bytes:
    """Pickle a call: a module-level function, or a partial of one."""
    return pickle.dumps(call)


def packed_answer(answer: Answer) -> bytes:
    """Pickle an answer, or the news that it cannot be."""
    try:
        content = pickle.dumps(answer)
        # An exception may be pickled and not be made again, if it asks for other arguments.
        pickle.loads(content)
        return content
    except Exception as failure:
        error = answer.error
        said = f"{type(failure).__name__}: {failure}" if error is None else described(error)
        what = f"its result cannot be sent ({said})" if error is None else said
        return pickle.dumps(Answer(None, RuntimeError(what), answer.trace, answer.seconds))


def opened_answer(content: bytes) -> Answer:
    """Unpickle an answer; an error has the worker's traceback as its cause."""
    try:
        answer: Answer = pickle.loads(content)
    except Exception as failure:  # its class is not known here
        return Answer(None, RuntimeError(f"its result cannot be read ({described(failure)})"))
    if answer.error is not None and answer.trace:
        answer.error.__cause__ = WorkerTraceback(answer.trace)
    return answer


def described(error: BaseException) -> str:
    """Return the class and the words of an error."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def trace_of(error: BaseException) -> str:
    """Return the traceback of an error as text."""
    return "".join(traceback.format_exception(error))
