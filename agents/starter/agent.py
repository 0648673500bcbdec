"""The beginning of an agent of your own: a thought and one fenced command a reply."""

import re
from collections.abc import Sequence

from mlgym import Chat, Decision, ExitReason, ModelError, Observation, TaskBrief, ToolSpec

SYSTEM = """\
You do machine-learning research in a Linux sandbox, with no human to ask. Answer every time with a
short thought and then one bash command in a block fenced by ```. What it prints comes back to you.
The command `validate` grades your submission on a hidden validation set, as often as you like;
`submit` grades it on the test set and ends the work."""
COMMAND = re.compile(r"^```\w*\n(.+?)^```", re.MULTILINE | re.DOTALL)
NO_COMMAND = "That reply held no command, so nothing was done. Write one in a block fenced by ```."


class Starter:
    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    def reset(self, brief: TaskBrief, tools: Sequence[ToolSpec]) -> None:
        del tools
        self.chat.begin(SYSTEM, brief.description)

    def act(self, observation: Observation) -> Decision:
        if observation.step > 0:
            self.chat.add_answer(observation.text)
        self.chat.see(observation)
        for _ in range(5):
            try:
                reply = self.chat.ask(f"[{observation.remaining_steps} steps left]")
            except ModelError as error:
                return self.chat.end(error)
            self.chat.add_reply(reply.message)
            found = COMMAND.findall(reply.text)
            if found:
                return Decision(found[-1].strip(), reply.text, self.chat.spent())
            self.chat.add_answer(NO_COMMAND)
        return Decision("", "no command", self.chat.spent(), ExitReason.FORMAT_ERRORS)
