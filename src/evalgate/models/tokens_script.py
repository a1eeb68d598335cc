"""What a model's own tokenizer and chat template make of conversations: `python -I tokens_script.py DIR`.

Reads lines of JSON, {"messages": [..], "template": {..}}, and answers each with a line of JSON: {"ids": [..]}, the token
ids with the generation prompt, or {"refused": "KIND"} where the template refuses the conversation. Ends with its input.

Runs as a script in the server's environment: standard library and transformers only. It never writes what it reads.
"""

from __future__ import annotations

import json
import sys


def main() -> int:
    """Answers until the input ends."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            found = tokenizer.apply_chat_template(
                asked["messages"],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                **asked["template"],
            )
            told: dict[str, object] = {"ids": list(found["input_ids"])}
        except Exception as e:  # whatever a template raises; its words may quote the conversation
            told = {"refused": type(e).__name__}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
