"""Names for values: the same on every machine, and cheap, because only a few elements of each tensor are read."""

from collections import defaultdict
from contextlib import suppress
from hashlib import sha256

import torch

NUMBERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # to read bytes as, by bytes of an element
PLAIN = (torch.Tensor, torch.nn.Parameter)
WORDS = {str, int, float, bool, type(None), torch.dtype}
UNREADABLE = (RuntimeError, NotImplementedError, TypeError)  # what tensors of other packs raise


class Digest:
    """The source of a name: words, and elements of tensors, which are fetched at once in `name`."""

    def __init__(self, *words: str, elements: int = 16):
        self.words, self.elements = list(words), elements
        self.pieces: list[tuple] = []  # the kind of each piece, and its place among those
        self.kinds: dict[tuple, list] = defaultdict(list)  # pieces that can be fetched together

    def add(self, value, dtype=None) -> None:
        """Add numbers, words, tensors, modules, and their containers; of another object its type and its `weights`, as
        LoRAs have them. `dtype`: real tensors are cast to it before they are read."""
        kind = type(value)
        if kind in WORDS:
            self.words.append(repr(value))
        elif kind is tuple or kind is list:
            self.words.append("(")
            for part in value:
                self.add(part, dtype)
            self.words.append(")")
        elif isinstance(value, torch.Tensor):
            self.tensor(value, dtype)
        else:
            self._other(value, dtype)

    def _other(self, value, dtype) -> None:
        if isinstance(value, dict):
            self.add([part for key in sorted(value, key=str) for part in (str(key), value[key])], dtype)
        elif isinstance(value, torch.nn.Module):
            self.add((type(value).__name__, dict(value.named_parameters()), dict(value.named_buffers())), dtype)
        elif isinstance(value, list | tuple | str | int | float):  # a class of its own
            self.add(list(value) if isinstance(value, list | tuple) else str(value), dtype)
        elif getattr(value, "is_nested", False):  # ComfyUI's, of several latents
            self.add(list(value.unbind()), dtype)
        else:
            self.words.append(getattr(value, "__qualname__", type(value).__name__))
            self.add(getattr(value, "weights", None), dtype)

    def tensor(self, value, dtype=None) -> None:
        """Add shape, dtype and a few elements; for a quantised tensor those of its packed data and scales. Nothing is
        dequantised."""
        if type(value) not in PLAIN:
            if type(value).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
                self.add((type(value).__name__, packed(value)))
                return
            with torch._C.DisableTorchFunctionSubclass():
                value = value.as_subclass(torch.Tensor)  # its shape may be another one than that of its bytes
        cast = dtype is not None and dtype != value.dtype and value.is_floating_point()
        self.words.append(f"{tuple(value.shape)} {dtype if cast else value.dtype}")
        with suppress(*UNREADABLE):
            piece = few(value, self.elements)
            piece = piece.to(dtype) if cast else piece.int_repr() if piece.is_quantized else piece
            self._keep(piece.view(NUMBERS[piece.dtype.itemsize]))

    def _keep(self, piece) -> None:
        kind = self.kinds[piece.device, piece.dtype, piece.ndim]
        self.pieces.append((kind, len(kind)))
        kind.append(piece)

    def name(self) -> str:
        """The digest, in hexadecimal digits; one fetch for each kind of pieces."""
        name = sha256("\0".join(self.words).encode())
        fetched = {id(kind): fetch(kind) for kind in self.kinds.values()}
        for kind, place in self.pieces:
            name.update(fetched[id(kind)][place])
        return name.hexdigest()


def digest(value, elements: int = 64) -> str:
    """A name for a value of numbers, words, tensors, and their containers: the same on every machine and in every
    run."""
    source = Digest(elements=elements)
    with torch.no_grad():
        source.add(value)
        return source.name()


def few(tensor, most: int):
    """At most `most` elements of a tensor of any shape, in pairs spread evenly in reading order, however it lies in
    memory: `(most / 2, 2)`, or of one axis. Zeros for a tensor without memory, which ComfyUI fills with zeros, too."""
    count = tensor.numel()
    if tensor.is_meta:
        return torch.zeros(min(count, most), dtype=tensor.dtype)
    if count <= most:
        return tensor.reshape(-1)
    pairs = most // 2
    step = (count - 2) // (pairs - 1)
    step -= 1 - step % 2  # odd, so that not all are of one column
    if tensor.is_contiguous():
        return tensor.as_strided((pairs, 2), (step, 1))
    places = [start + i for start in range(0, pairs * step, step) for i in (0, 1)]
    at: list[torch.Tensor] = []
    for size in reversed(tensor.shape):
        at.insert(0, torch.tensor([place % size for place in places]))
        places = [place // size for place in places]
    return tensor[tuple(at)]


def fetch(pieces) -> list[bytes]:
    """The bytes of each tensor, in one transfer. All are on one device, of one dtype and number of axes."""
    try:
        data = torch.cat(pieces).cpu().numpy().tobytes()
    except UNREADABLE:
        data = b""
    ends, end = [], 0
    for piece in pieces:
        ends.append((end, end := end + piece.numel() * piece.itemsize))
    return [data[start:stop] for start, stop in ends]


def packed(tensor) -> tuple | list:
    """Packed data and scales of a tensor without data of its own; where there are none, its shape and dtype."""
    if hasattr(tensor, "_qdata"):  # comfy-kitchen, whose flattening would leave marks on the tensor
        return tensor._qdata, tensor._layout_cls, vars(tensor._params)
    if hasattr(tensor, "__tensor_flatten__"):
        return [getattr(tensor, name) for name in tensor.__tensor_flatten__()[0]]
    return tuple(tensor.shape), tensor.dtype
