"""A tiny Qwen2 model with random weights as a GGUF file, laid out and quantised as the files of builtin models are."""

import json

import gguf
import numpy as np
from gguf.quants import dequantize, quantize

from tests.support.tiny import CHATML, tiny_tokenizer

_LAYERS, _WIDTH, _HEADS, _INNER = 2, 64, 4, 128


def write_gguf(path):
    """Write the file; returns what its tensors mean, by their names in the file, in float32."""
    tokenizer = tiny_tokenizer(CHATML)
    bpe = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    special = set(tokenizer.all_special_tokens) | {token.content for token in tokenizer.added_tokens_decoder.values()}
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("made up")
    writer.add_context_length(512)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(2)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in tokens])
    writer.add_token_merges([" ".join(merge) if isinstance(merge, list) else merge for merge in bpe["merges"]])
    writer.add_eos_token_id(tokenizer.convert_tokens_to_ids("<|im_end|>"))
    writer.add_pad_token_id(tokenizer.convert_tokens_to_ids("<pad>"))
    writer.add_chat_template(CHATML)
    random, meant = np.random.default_rng(0), {}

    def add(name, *shape, q8=False):
        values = random.normal(scale=0.2, size=shape).astype(np.float32)
        if q8:
            blocks = quantize(values, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(name, blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
            values = dequantize(blocks, gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(name, values)
        meant[name] = values

    add("token_embd.weight", len(tokens), _WIDTH, q8=True)
    add("output_norm.weight", _WIDTH)
    add("output.weight", len(tokens), _WIDTH, q8=True)
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        for name in ("attn_norm", "ffn_norm"):
            add(f"{block}.{name}.weight", _WIDTH)
        for name, rows in (("attn_q", _WIDTH), ("attn_k", _WIDTH // 2), ("attn_v", _WIDTH // 2)):
            add(f"{block}.{name}.weight", rows, _WIDTH, q8=True)
            add(f"{block}.{name}.bias", rows)
        add(f"{block}.attn_output.weight", _WIDTH, _WIDTH, q8=True)
        add(f"{block}.ffn_gate.weight", _INNER, _WIDTH, q8=True)
        add(f"{block}.ffn_up.weight", _INNER, _WIDTH, q8=True)
        add(f"{block}.ffn_down.weight", _WIDTH, _INNER, q8=True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return meant
