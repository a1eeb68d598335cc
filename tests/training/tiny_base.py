"""Makes a Llama of half a million weights and teaches it to find words in notes: `python tiny_base.py FOLDER [--steps N]`.

Run by the Python of training. A base that knows nothing could not be adapted: a frozen random one does not learn.
"""

import argparse
import itertools
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from toy import COPY, ECHO, LABELS, SYSTEM, lessons
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEMPLATE = (
    "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{'<|im_start|>assistant\\n'}}{% endif %}"
)
SPECIAL = ["<pad>", "<|im_start|>", "<|im_end|>"]
BATCH = 32


def tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    told = ["system", "user", "assistant", *SYSTEM.values(), *ECHO.values(), COPY]
    told += [f" {word} {label}" for pairs in LABELS.values() for word, label in pairs.items()]
    told += [f"{word} {label}" for pairs in LABELS.values() for word, label in pairs.items()]
    told += [f"{system}\n{user}\n{answer}" for system, user, answer in itertools.islice(lessons(1), 500)]  # fmt: skip
    words.train_from_iterator(
        [label for pairs in LABELS.values() for label in pairs.values()] * 200 + told * 3,
        trainers.BpeTrainer(
            vocab_size=700,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    made = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[2],
        additional_special_tokens=SPECIAL[1:],
    )
    made.chat_template = TEMPLATE
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--width", type=int, default=128)
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    tok = tokenizer()
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tok),
            hidden_size=given.width,
            intermediate_size=2 * given.width,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=512,
            eos_token_id=2,
            pad_token_id=0,
            bos_token_id=1,
            tie_word_embeddings=False,
        )
    )
    model.generation_config.eos_token_id = 2
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=given.steps)
    taught = lessons(0)
    for step in range(given.steps):
        batch = []
        for system, user, answer in itertools.islice(taught, BATCH):
            asked = [{"role": "system", "content": system}, {"role": "user", "content": user}]
            text = tok.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
            prompt = tok(text, add_special_tokens=False).input_ids
            batch.append((prompt, tok(answer + SPECIAL[2], add_special_tokens=False).input_ids))
        longest = max(len(p) + len(a) for p, a in batch)
        ids = torch.tensor([p + a + [0] * (longest - len(p) - len(a)) for p, a in batch])
        labels = torch.tensor([[-100] * len(p) + a + [-100] * (longest - len(p) - len(a)) for p, a in batch])  # fmt: skip
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if step % 100 == 99:
            print(f"step {step + 1}: {loss.item():.4f}", flush=True)
    model.save_pretrained(given.folder)
    tok.save_pretrained(given.folder)
    print(f"{sum(p.numel() for p in model.parameters())} weights, {len(tok)} tokens")


if __name__ == "__main__":
    main()
