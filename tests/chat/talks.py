"""Conversations of a given length, and models with a window, for the tests of `mlgym.chat`."""

from mlgym.agent import Observation
from mlgym.chat.chat import Chat, ContextKnobs
from mlgym.chat.conversation import Conversation, weight
from mlgym.chat.policy import DropOldest
from mlgym.models.base import ContextOverflowError, ModelToolCall, Reply
from mlgym.models.scripted import assistant_message
from mlgym.types import Usage

BRIEF = "the brief"


def fill(talk, turns: int, size: int = 2000):
    """`turns` turns of two calls each, `size` characters an answer; gives `talk` back."""
    for turn in range(turns):
        calls = [ModelToolCall(f"c{turn}.{n}", "bash", "{}") for n in range(2)]
        talk.add_reply(assistant_message(f"thought {turn}", calls))
        for call in calls:
            talk.add_answer(f"{call.id}: " + "x" * size, call.id)
    return talk


def talk_of(turns: int, size: int = 2000) -> Conversation:
    return fill(Conversation("the system", BRIEF), turns, size)


def chat_of(model, turns: int, size: int = 2000, policy=None, **knobs) -> Chat:
    chat = Chat(model, policy or DropOldest(), ContextKnobs(**knobs))
    chat.begin("the system", BRIEF)
    return fill(chat, turns, size)


def intact(messages) -> bool:
    """Whether every call is followed by its results, and every result follows its call."""
    owed = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in owed:
                return False
            owed.remove(message["tool_call_id"])
        else:
            if owed:
                return False
            owed = [call["id"] for call in message.get("tool_calls", ())]
    return not owed


def see(**fields) -> Observation:
    given = {"text": "", "step": 1, "remaining_steps": 9, "remaining_s": 60.0, "cost_usd": 0.0}
    return Observation(**{**given, "metrics": None, "reward": 0.0, **fields})


class Window:
    """A model with a window of so many characters, which it may or may not tell of."""

    name = "window"

    def __init__(self, characters: int, told: int | None = None, in_error: int | None = None):
        self.characters = characters
        self.context_window = told
        self.in_error = in_error
        self.refused = 0
        self.asked = []

    def complete(self, messages, tools=()):
        del tools
        size = weight(*messages)
        if size > self.characters:
            self.refused += 1
            raise ContextOverflowError("too long", self.in_error)
        self.asked.append(messages)
        return Reply("fine", usage=Usage(1, size // 4, 0, 10, 0.01))

    @property
    def seen(self):
        return self.asked[-1]
