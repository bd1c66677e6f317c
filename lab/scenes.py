"""Procedurally drawn pictures, still or moving: smooth gradients for the low frequencies, edges and stripes for the
high ones."""

import math

import torch
from torch import Tensor

CLASSES = (
    "gradient",
    "blobs",
    "stripes",
    "checks",
    "disc",
    "rings",
    "triangle",
    "square",
    "cross",
    "star",
    "hills",
    "pinwheel",
)
SIZE = 64
EDGE = 14.0  # steepness of an anti-aliased edge, per unit of a canvas that spans [-1, 1]


class Brush:
    """Random numbers and the pixel grid of one batch: `(N, 1, 1)` parameters against `(N, SIZE, SIZE)` coordinates.

    N counts the frames of all clips, clip by clip; a parameter is the same in all frames of its clip.
    """

    def __init__(self, batch: int, generator: torch.Generator, frames: int = 1):
        self.batch, self.generator, self.frames = batch, generator, frames
        axis = (torch.arange(SIZE) + 0.5) * (2 / SIZE) - 1
        self.y, self.x = (c.expand(batch * frames, -1, -1) for c in torch.meshgrid(axis, axis, indexing="ij"))
        self.motion = torch.zeros(batch, 3)  # of each clip: the way right, the way down, and the turn in radians

    def _drawn(self, values: Tensor) -> Tensor:
        return values.repeat_interleave(self.frames, 0)

    def uniform(self, low: float, high: float) -> Tensor:
        return self._drawn(torch.empty(self.batch, 1, 1).uniform_(low, high, generator=self.generator))

    def integer(self, low: int, high: int) -> Tensor:
        return self._drawn(torch.randint(low, high + 1, (self.batch, 1, 1), generator=self.generator))

    def colour(self) -> Tensor:
        """`(N, 3, 1, 1)` in [-1, 1]."""
        return self._drawn(torch.empty(self.batch, 3, 1, 1).uniform_(-1, 1, generator=self.generator))

    def move(self) -> None:
        """Let the grid drift and turn from frame to frame, so that what is drawn next moves across the canvas."""
        time = torch.linspace(-0.5, 0.5, self.frames).repeat(self.batch).view(-1, 1, 1)
        heading, turned = self.uniform(-math.pi, math.pi), self.uniform(-0.5, 0.5)
        way, turn = self.uniform(0.4, 0.9), turned * time
        self.motion = torch.cat([way * heading.cos(), way * heading.sin(), turned], 1)[:: self.frames, :, 0]
        x, y = self.x - way * time * heading.cos(), self.y - way * time * heading.sin()
        self.x, self.y = x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()

    def placed(self, low: float, high: float, turn: float = 0.3) -> tuple[Tensor, Tensor]:
        """Coordinates in the frame of a shape with a random centre, size and rotation."""
        angle, scale = self.uniform(-turn, turn), self.uniform(low, high)
        x, y = self.x - self.uniform(-0.25, 0.25), self.y - self.uniform(-0.25, 0.25)
        return (x * angle.cos() + y * angle.sin()) / scale, (y * angle.cos() - x * angle.sin()) / scale


def _inside(distance: Tensor) -> Tensor:
    """Coverage in [0, 1] of a signed distance, negative inside."""
    return torch.sigmoid(-EDGE * distance)


def _wave(phase: Tensor, sharpness: float = 4.0) -> Tensor:
    return torch.sigmoid(sharpness * torch.sin(phase))


def _polygon(x: Tensor, y: Tensor, sides: int, inner: float = 1.0) -> Tensor:
    """Signed distance-like field of a regular polygon, or of a star when `inner` < 1."""
    radius, angle = torch.hypot(x, y), torch.atan2(x, -y)
    sector = math.pi / sides
    folded = (torch.remainder(angle, 2 * sector) - sector).abs()  # sector at a corner, 0 at the middle of a side
    if inner == 1.0:
        return radius * folded.cos() - math.cos(sector)
    return radius - (inner + (1 - inner) * folded / sector)


def _gradient(b: Brush) -> Tensor:
    angle = b.uniform(-math.pi, math.pi)
    return (
        0.5 + 0.5 * torch.sin(b.uniform(1.0, 2.2) * (b.x * angle.cos() + b.y * angle.sin()) + b.uniform(-2, 2))
    ).expand_as(b.x)


def _blobs(b: Brush) -> Tensor:
    fields = []
    for _ in range(3):
        x, y = b.x - b.uniform(-0.8, 0.8), b.y - b.uniform(-0.8, 0.8)
        fields.append(torch.exp(-(x * x + y * y) / b.uniform(0.08, 0.25)))
    return torch.stack(fields).amax(0)


def _stripes(b: Brush) -> Tensor:
    x, _ = b.placed(1, 1, turn=0.8)
    return _wave(math.pi * b.uniform(2, 4) * x)


def _checks(b: Brush) -> Tensor:
    x, y = b.placed(1, 1)
    frequency = math.pi * b.uniform(1.5, 2.5)
    return torch.sigmoid(8 * torch.sin(frequency * x) * torch.sin(frequency * y))


def _disc(b: Brush) -> Tensor:
    x, y = b.placed(0.45, 0.8)
    return _inside(torch.hypot(x, y) - 1)


def _rings(b: Brush) -> Tensor:
    x, y = b.placed(1, 1)
    return _wave(math.pi * b.uniform(2, 3.5) * torch.hypot(x, y))


def _triangle(b: Brush) -> Tensor:
    return _inside(_polygon(*b.placed(0.7, 1.0), sides=3))


def _square(b: Brush) -> Tensor:
    x, y = b.placed(0.4, 0.65, turn=0.5)
    return _inside(torch.maximum(x.abs(), y.abs()) - 1)


def _cross(b: Brush) -> Tensor:
    x, y = b.placed(0.6, 0.85, turn=0.5)
    x, y, arm = x.abs(), y.abs(), b.uniform(0.2, 0.38)
    bar = torch.maximum(torch.maximum(x, y) - 1, torch.minimum(x, y) - arm)
    return _inside(bar)


def _star(b: Brush) -> Tensor:
    return _inside(_polygon(*b.placed(0.7, 0.95), sides=5, inner=0.42))


def _hills(b: Brush) -> Tensor:
    ridge = b.uniform(0, 0.5) + b.uniform(0.1, 0.25) * torch.sin(b.uniform(2, 5) * b.x + b.uniform(-3, 3))
    sun = _inside(torch.hypot(b.x - b.uniform(-0.6, 0.6), b.y + b.uniform(0.35, 0.6)) - b.uniform(0.15, 0.28))
    return torch.maximum(_inside(ridge - b.y), sun)


def _pinwheel(b: Brush) -> Tensor:
    x, y = b.placed(1, 1)
    return _wave(torch.atan2(y, x) * b.integer(3, 5) + 2 * torch.hypot(x, y) * b.uniform(-1, 1))


_MASKS = (_gradient, _blobs, _stripes, _checks, _disc, _rings, _triangle, _square, _cross, _star, _hills, _pinwheel)


def _background(b: Brush) -> Tensor:
    """Two colours blended along a random direction, `(B, 3, SIZE, SIZE)`."""
    angle, start, end = b.uniform(-math.pi, math.pi), b.colour(), b.colour()
    blend = (0.5 + 0.4 * (b.x * angle.cos() + b.y * angle.sin())).clamp(0, 1).unsqueeze(1)
    return start + (end - start) * blend


def _contrasting(front: Tensor, back: Tensor) -> Tensor:
    """`front`, pushed away from `back` until some channel differs by 0.9."""
    away = torch.where(front >= back, 1.0, -1.0)
    short = (0.9 - (front - back).abs().amax(1, keepdim=True)).clamp_min(0)
    pushed = front + away * short
    return torch.where(pushed.abs() > 1, back - away * 0.9, pushed)


def draw(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures `(B, 3, 64, 64)` in [-1, 1], one for each class number in `labels` `(B,)`.

    The same generator state gives the same pictures. Raises IndexError for a label outside `CLASSES`.
    """
    return film(labels, generator, 1).squeeze(2)


def film(labels: Tensor, generator: torch.Generator, frames: int) -> Tensor:
    """Clips `(B, 3, frames, 64, 64)` in [-1, 1]: the scenes of `draw`, whose shape drifts and turns before a still
    background."""
    return moving(labels, generator, frames)[0]


def moving(labels: Tensor, generator: torch.Generator, frames: int) -> tuple[Tensor, Tensor]:
    """The clips of `film`, and how their shapes move from the first frame to the last, `(B, 3)`: the way right and
    down, where the canvas is 2 wide, and the turn in radians."""
    clips, motion = torch.empty(len(labels), 3, frames, SIZE, SIZE), torch.zeros(len(labels), 3)
    for label in labels.unique().tolist():
        rows = labels == label
        brush = Brush(int(rows.sum()), generator, frames)
        clips[rows] = _scene(label, brush).unflatten(0, (-1, frames)).transpose(1, 2)
        motion[rows] = brush.motion
    return clips.clamp_(-1, 1), motion


def _scene(label: int, brush: Brush) -> Tensor:
    """Frames `(N, 3, SIZE, SIZE)` of one class."""
    back, front = _background(brush), brush.colour()
    if brush.frames > 1:
        brush.move()
    mask = _MASKS[label](brush).unsqueeze(1)
    front = _contrasting(front, back.mean((2, 3), keepdim=True))
    return back + (front - back) * mask
