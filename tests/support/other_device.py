"""A device that is not the CPU, where there is none: tensors of torch's `meta` device, which computes shapes only.

What is copied to the CPU becomes small random numbers of the same shape. As on a GPU, an operation whose tensors are on both devices fails;
and one whose result's shape depends on numbers fails too, because a GPU would have to be waited for.
"""

import torch
from torch.nn.attention.bias import CausalBias
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
CASTS = {aten._to_copy, aten.to}
# They may take tensors of both: a copy from the CPU, and indices, which torch takes to the device itself.
BETWEEN = {aten.copy_, aten.index, aten.index_put, aten.index_put_}


class OtherDevice(TorchDispatchMode):
    """Inside this context `meta` is a device that computes.

    Attributes:
        waits: how often numbers came to the CPU.
    """

    def __init__(self):
        super().__init__()
        self.waits = 0

    def __enter__(self):
        # Torch cannot make this kind of tensor while a mode like this one sees its operations.
        CausalBias.__new__ = plain
        return super().__enter__()

    def __exit__(self, *raised):
        del CausalBias.__new__
        return super().__exit__(*raised)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if func is aten._local_scalar_dense.default and tensors[0].is_meta:
            self.waits += 1
            return True if tensors[0].dtype is torch.bool else 1
        if func is aten.equal.default and any(tensor.is_meta for tensor in tensors):
            self.waits += 1
            self.on_one_device(func, tensors)
            return False
        if func.overloadpacket in CASTS:
            wanted = [leaf for leaf in tree_leaves((args[1:], kwargs)) if isinstance(leaf, torch.device | torch.dtype)]
            to = next((leaf for leaf in wanted if isinstance(leaf, torch.device)), tensors[0].device)
            if tensors[0].is_meta and to.type == "cpu":
                self.waits += 1
                return arrived(tensors[0], next((leaf for leaf in wanted if isinstance(leaf, torch.dtype)), tensors[0].dtype))
            return func(*args, **kwargs)
        if func is aten.copy_.default and tensors[1].is_meta and not tensors[0].is_meta:
            self.waits += 1
            return tensors[0].copy_(arrived(tensors[1], tensors[0].dtype))
        if func.overloadpacket not in BETWEEN:
            self.on_one_device(func, tensors)
        return func(*args, **kwargs)

    @staticmethod
    def on_one_device(func, tensors):
        """Raise RuntimeError where tensors with more than one number are on several devices."""
        found = {tensor.device.type for tensor in tensors if tensor.dim()}
        if len(found) > 1:
            raise RuntimeError(f"{func} mixes tensors of {' and '.join(sorted(found))}")


def plain(kind, *_given):
    """A tensor of a subclass that holds no numbers."""
    with _disable_current_modes():
        return torch.Tensor._make_subclass(kind, torch.empty(0))


def arrived(tensor, dtype):
    """Numbers of a tensor's shape, on the CPU."""
    if dtype.is_floating_point:
        return torch.rand(tensor.shape, dtype=torch.float32).to(dtype)
    return torch.ones(tensor.shape, dtype=dtype)
