"""What a model can do, by any name that `--model` takes: for agents and `mlgym models show`."""

from __future__ import annotations

from dataclasses import dataclass

from mlgym.models.aliases import find_deployment, resolve_alias
from mlgym.models.library import model_facts, price_of, supports_tools, window

LOCAL = "local/"
SCRIPTED = "scripted:"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model takes and gives; None where nobody says.

    `window` and `output` are tokens of a request and of a reply. `tools` is False only where the
    model is known to lack function calling. `thinks` tells reasoning models, `caches` providers
    that charge less for a prompt's unchanged beginning. `price` is US dollars per million tokens,
    (input, output).
    """

    window: int | None = None
    output: int | None = None
    tools: bool = True
    images: bool | None = None
    thinks: bool | None = None
    caches: bool | None = None
    price: tuple[float, float] | None = None


def takes_images(name: str) -> bool | None:
    """Whether the model `name` is known to take images, or not to; None where nobody says."""
    if name.startswith(SCRIPTED):
        return None
    if is_text_only(name):
        return False
    model = resolve_alias(name)
    ours = find_deployment(model)
    if ours is not None and ours.images is not None:
        return ours.images
    known = model_facts(model).get("supports_vision")
    return None if known is None else bool(known)


def is_text_only(name: str) -> bool:
    """Whether our own list, without a look into litellm's, says that the model takes no images."""
    model = resolve_alias(name)
    ours = find_deployment(model)
    return model.startswith(LOCAL) or (ours is not None and ours.images is False)


def capabilities(name: str) -> Capabilities:
    """What is known of the model `name`. Never asks the network; loads litellm unless local."""
    if name.startswith(SCRIPTED):
        return Capabilities()
    model = resolve_alias(name)
    ours = find_deployment(model)
    if model.startswith(LOCAL):
        if ours is None:
            return Capabilities(tools=False)
        return Capabilities(ours.window, ours.output, bool(ours.tools), ours.images)
    facts = model_facts(model)
    output = ours.output if ours is not None else None
    return Capabilities(
        window=window(model),
        output=output or facts.get("max_output_tokens"),
        tools=supports_tools(model),
        images=takes_images(name),
        thinks=facts.get("supports_reasoning"),
        caches=facts.get("supports_prompt_caching"),
        price=price_of(model),
    )
