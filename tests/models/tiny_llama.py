"""Makes a random Llama of a fifth of a million weights, and a LoRA adapter over it: `python tiny_llama.py FOLDER`.

Run by the Python of a server's environment (torch, transformers, tokenizers, safetensors). FOLDER gets base/ and lora/.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
ROLES = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]

folder = Path(sys.argv[1])
torch.manual_seed(0)
letters = sorted(pre_tokenizers.ByteLevel.alphabet())
words = Tokenizer(models.BPE({c: i for i, c in enumerate(letters)}, []))  # a token a byte
words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
words.decoder = decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=words, eos_token="<|end|>", pad_token="<|end|>"
)
tokenizer.add_special_tokens({"additional_special_tokens": ROLES})
tokenizer.chat_template = TEMPLATE
config = LlamaConfig(
    vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=2,
    num_key_value_heads=1, max_position_embeddings=1024, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    pad_token_id=tokenizer.pad_token_id, initializer_range=0.2,
)  # fmt: skip
LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder / "base")
tokenizer.save_pretrained(folder / "base")

(folder / "lora").mkdir()
told = {
    "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "o_proj"],
    "bias": "none", "base_model_name_or_path": "base", "inference_mode": True,
}  # fmt: skip
(folder / "lora" / "adapter_config.json").write_text(json.dumps(told))
save_file(
    {
        f"base_model.model.model.layers.{i}.self_attn.{name}.lora_{side}.weight": torch.randn(shape)
        * 0.2
        for i in range(2)
        for name in ("q_proj", "o_proj")
        for side, shape in (("A", (8, 128)), ("B", (128, 8)))
    },
    folder / "lora" / "adapter_model.safetensors",
)
