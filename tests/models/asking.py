"""A model at a loopback server, as the tests of `mlgym.models` ask it."""

from model_server import ModelServer

from mlgym.models.litellm import LiteLLMModel
from mlgym.models.settings import ModelSettings
from mlgym.types import ToolSpec

HELLO = [{"role": "user", "content": "hello"}]
BASH = ToolSpec(
    "bash",
    "Run a command.",
    {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
)


class Asked:
    """A model at a server, with what it recorded and how long it would have slept."""

    def __init__(self, server: ModelServer, name: str = "openai/tester", **settings):
        self.entries = []
        self.waits = []
        made = ModelSettings(api_base=server.url, **settings)
        self.model = LiteLLMModel(name, made, self.entries.append, self.waits.append)
        self.complete = self.model.complete

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in self.entries]
