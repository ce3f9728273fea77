"""A quantised GGUF file → the same model with its matrices in bf16, as FogGate computes with them."""

from pathlib import Path

import gguf

_VIRTUAL = "GGUF."
_ARCHITECTURE, _FILE_TYPE = "general.architecture", "general.file_type"


def as_bf16(source: Path, target: Path) -> None:
    """Write a file with the same metadata and tensors, those with two dimensions in bf16 and the others in float32.

    The file gets its name when it is complete.
    """
    reader = gguf.GGUFReader(source)
    making = target.with_name(target.name + ".making")
    architecture = str(reader.fields[_ARCHITECTURE].contents())
    # Tensors wait in a file until the metadata before them is written.
    writer = gguf.GGUFWriter(making, architecture, use_temp_file=True)
    for field in reader.fields.values():
        if field.name in {_ARCHITECTURE, _FILE_TYPE} or field.name.startswith(_VIRTUAL):
            continue
        element = field.types[-1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=element)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        to = gguf.GGMLQuantizationType.BF16 if len(tensor.shape) > 1 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(tensor.name, gguf.quants.quantize(values, to), raw_dtype=to)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    making.replace(target)
