"""What an agent asks its model through: requests fit the window, and no limit is overrun.

The window is what `agent.yaml` says, else what is known of the model, else what the provider's
refusal of a longer request tells. How many characters make a token is learnt from its replies.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mlgym.agent import Decision, Observation
from mlgym.chat.conversation import Conversation, weight
from mlgym.chat.policy import ContextPolicy
from mlgym.errors import ModelError
from mlgym.models.base import (
    ContextOverflowError,
    ImagesRefusedError,
    Message,
    Model,
    Reply,
    ToolsUnsupportedError,
)
from mlgym.models.facts import takes_images
from mlgym.models.images import count_images
from mlgym.types import ExitReason, Image, ToolSpec, Usage

_CHARACTERS_A_TOKEN = 3.5
"""A first guess. What a server counted goes before it, within these bounds."""
_FEWEST, _MOST = 0.5, 6.0
_MOST_IMAGES, _KEPT_IMAGES = 6, 3
"""Beyond so many, whatever the window, so many are left: requests have a longest size in bytes."""
_OLD = "[image dropped: open it again if you need to see it]"
_UNSEEN = "[The image is not shown: this model does not take it.]"


class ContextKnobs(BaseModel):
    """`context` in `agent.yaml`. `window` is in tokens, `longest_observation` in characters.

    A request may take the part `fill` of the window; the rest is for the reply. Beyond it the
    conversation is shortened to the part `keep`, so that its prefix then stays for a while.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: str = "drop_oldest"
    options: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    window: int | None = Field(default=None, ge=1)
    fill: float = Field(default=0.85, gt=0, le=1)
    keep: float = Field(default=0.6, gt=0, le=1)
    longest_observation: int = Field(default=20_000, ge=100)


class OutOfBudgetError(ModelError):
    """Nothing is left to pay another request with. `reason` says of what."""

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(f"no further request: {reason}")
        self.reason = reason


class Chat:
    """One agent's conversation with its model, and what it has cost since the last decision."""

    def __init__(self, model: Model, policy: ContextPolicy, knobs: ContextKnobs) -> None:
        self.model = model
        self._policy = policy
        self._knobs = knobs
        self._window = knobs.window or model.context_window
        self._characters_a_token = _CHARACTERS_A_TOKEN
        self._takes_images: bool | None = None
        self.begin("", "")

    def begin(self, system: str, brief: str) -> None:
        """Begin anew."""
        self.talk = Conversation(system, brief, self._knobs.longest_observation)
        self._spent = Usage()
        self._seen: Observation | None = None

    def see(self, observation: Observation) -> None:
        """Take the budget of a new step."""
        self._seen = observation

    def add_reply(self, message: Message) -> None:
        self.talk.add_reply(message)

    def add_answer(self, text: str, call_id: str | None = None, image: Image | None = None) -> None:
        """See `Conversation.add_answer`. A model that takes no images is told that there was one.

        Where nobody knows whether it takes any, it is tried.
        """
        if image is not None and not self._sees():
            text, image = f"{text.rstrip()}\n{_UNSEEN}", None
        self.talk.add_answer(text, call_id, image)
        if image is not None and count_images(*self.talk.messages()) > _MOST_IMAGES:
            self.talk.drop_images(_KEPT_IMAGES, _OLD)

    def ask(self, note: str = "", tools: Sequence[ToolSpec] = ()) -> Reply:
        """The model's reply to all that was said; `note` ends the last message and is not kept.

        Raises:
            ContextOverflowError: nothing is left to drop.
            OutOfBudgetError: what was asked since the last decision has used up a limit.
            ModelError: as `Model.complete`.
        """
        besides = len(note) + sum(map(_size, tools))
        if self._window is not None:
            self._fit(self._window, besides)
        while True:
            request = self.talk.messages(note)
            try:
                return self._complete(request, tools, besides)
            except ContextOverflowError as error:
                if not self._shrink(error, weight(*request) + besides, besides):
                    raise
            except ImagesRefusedError:
                if not count_images(*request):
                    raise
                # A model that is known to take images may have been shown a broken one.
                self._takes_images = takes_images(self.model.name) or False
                self.talk.drop_images(0, _UNSEEN)

    def fork(self) -> Chat:
        """A conversation that goes on by itself from here, with the same model."""
        other = copy.copy(self)
        other.talk, other._policy = copy.deepcopy(self.talk), copy.deepcopy(self._policy)
        return other

    def spent(self) -> Usage:
        """What was used since this was asked last: the usage of a decision."""
        spent, self._spent = self._spent, Usage()
        return spent

    def end(self, error: ModelError) -> Decision:
        """The decision that an error out of `ask` leads to, with what the step has cost so far.

        Raises the error again where the rollout knows better: the server takes no tools, or nothing
        has been spent that could be lost with it.
        """
        if isinstance(error, ToolsUnsupportedError):
            raise error
        reason = ExitReason.MODEL_ERROR
        if isinstance(error, ContextOverflowError):
            reason = ExitReason.CONTEXT_OVERFLOW
        elif isinstance(error, OutOfBudgetError):
            reason = error.reason
        elif not self._spent.calls:
            raise error
        return Decision("", str(error), self.spent(), reason)

    def _sees(self) -> bool:
        if self._takes_images is None:
            self._takes_images = takes_images(self.model.name) is not False
        return self._takes_images

    def _complete(
        self, request: Sequence[Message], tools: Sequence[ToolSpec], besides: int
    ) -> Reply:
        self._check_budget()
        reply = self.model.complete(request, tools)
        self._spent += reply.usage
        if reply.usage.input_tokens:
            found = (weight(*request) + besides) / reply.usage.input_tokens
            self._characters_a_token = min(max(found, _FEWEST), _MOST)
        return reply

    def _write(self, messages: Sequence[Message]) -> str:
        return self._complete(messages, (), 0).text

    def _check_budget(self) -> None:
        """A first request is the rollout's to allow. Raises OutOfBudgetError."""
        seen, spent = self._seen, self._spent
        if seen is None or not spent.calls:
            return
        if seen.remaining_tokens is not None and spent.total_tokens >= seen.remaining_tokens:
            raise OutOfBudgetError(ExitReason.TOKEN_LIMIT)
        if seen.remaining_usd is None:
            return
        # Where a price is unknown, a limit of tokens holds instead, if there is one.
        unknown = spent.cost_usd is None and seen.remaining_tokens is None
        if unknown or (spent.cost_usd is not None and spent.cost_usd >= seen.remaining_usd):
            raise OutOfBudgetError(ExitReason.COST_LIMIT)

    def _fit(self, window: int, besides: int) -> None:
        """Shorten what would overrun the window by our estimate; the server knows better."""
        room = window * self._characters_a_token
        if weight(*self.talk.messages()) + besides > room * self._knobs.fill:
            self._policy.shorten(self.talk, int(room * self._knobs.keep) - besides, self._write)

    def _shrink(self, error: ContextOverflowError, size: int, besides: int) -> bool:
        """Learn from a refusal of `size` characters and shorten; False where nothing is left."""
        if error.window is not None:
            self._window = error.window
            # It did not fit: a token has at most so many characters.
            self._characters_a_token = min(self._characters_a_token, size / error.window)
            most = min(size, error.window * self._characters_a_token)
        else:
            self._window = int(size / self._characters_a_token)
            most = size
        before = weight(*self.talk.messages())
        self._policy.shorten(self.talk, int(most * self._knobs.keep) - besides, self._write)
        return weight(*self.talk.messages()) < before


def _size(tool: ToolSpec) -> int:
    return len(json.dumps([tool.name, tool.description, dict(tool.parameters)]))
