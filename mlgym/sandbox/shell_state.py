"""What a shell keeps between commands, as text that brings another shell to the same state.

Current folder, variables, functions, aliases, options and traps are written by bash itself, in a
subshell, in the forms that it reads back. The text was made by the agent's own shell and is run by
the agent's own shell: whatever an agent makes of it is its own affair.
"""

from __future__ import annotations

from mlgym.sandbox.guest.script import CALLS

MOST_BYTES = 1 << 20
"""A state of more than this is cut, and then not a state."""
LIMIT_S = 5.0
"""How long a shell may take to tell its state, or to take one in."""

# What bash sets for itself, or cannot be set. PWD follows from `cd`.
_OWN = (
    "_|BASH*|COMP_*|DIRSTACK|EPOCH*|EUID|FUNCNAME|GROUPS|HISTCMD|LINENO|PIPESTATUS|PPID|PWD"
    "|RANDOM|SECONDS|SHELLOPTS|SRANDOM|UID"
)

SAVE = f"""(
\\builtin printf 'cd -- %q\\n' "$PWD"
\\builtin trap -p
\\builtin shopt -p
\\builtin alias -p
\\builtin umask -p
_mlgym_options=$(\\builtin set +o)
\\builtin set +eux
_mlgym_ifs=$(\\builtin declare -p IFS)
IFS=$'\\n'
for _mlgym_name in $(\\builtin compgen -v); do
    case $_mlgym_name in {_OWN}|IFS|_mlgym_*) continue ;; esac
    \\builtin declare -p "$_mlgym_name"
done
for _mlgym_name in $(\\builtin compgen -A function); do
    case $_mlgym_name in {"|".join(CALLS)}) continue ;; esac
    \\builtin declare -f "$_mlgym_name"
done
\\builtin declare -F
\\builtin printf '%s\\n' "$_mlgym_ifs" "$_mlgym_options"
\\builtin echo '# whole'
) 2>/dev/null
"""
"""A command whose output is the state of the shell that runs it."""


def restoring(state: str) -> str:
    """The command that brings a new shell to `state`; one that goes nowhere if it was cut."""
    if not state.endswith("# whole\n"):
        return "true"
    return f"{{\n{state}}} >/dev/null 2>&1"
