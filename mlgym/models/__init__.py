"""Language models behind one small protocol."""

from mlgym.models.base import (
    ContextOverflowError,
    Message,
    Model,
    ModelToolCall,
    Reply,
    ToolsUnsupportedError,
)
from mlgym.models.facts import Capabilities, capabilities

__all__ = [
    "Capabilities",
    "ContextOverflowError",
    "Message",
    "Model",
    "ModelToolCall",
    "Reply",
    "ToolsUnsupportedError",
    "capabilities",
]
