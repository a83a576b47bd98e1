"""What is measured, and what tinderbox must reach in it. Standard library only."""

from dataclasses import dataclass

import common

SPEED, MEMORY, SECONDS = "images_per_second", "peak_rss_mb", "seconds"
# The share of the cores' time that other programs took during a measurement, and how much of it is
# too much. OpenMP's threads spin while they wait: on cores that other programs use, PyTorch was seen
# to run 200 times slower. Such a ratio says nothing, so it must not go unnoticed.
DISTURBED, BUSY_LIMIT = "disturbed", 0.1


@dataclass(frozen=True)
class Work:
    """One measurement: training or inference of a model, at one shape."""

    model: str
    size: int
    channels: int
    batch: int = 128
    kind: str = common.TRAINING
    classes: int = 10

    def title(self):
        """For headings."""
        return f"{self.kind}: {self.model} {self.size}x{self.size}x{self.channels}, batch {self.batch:,}"

    def flags(self):
        """As `tinderbox bench` and both peers' scripts take them."""
        values = {
            "--model": self.model,
            "--size": self.size,
            "--channels": self.channels,
            "--classes": self.classes,
            "--batch": self.batch,
            "--only": self.kind,
        }
        return [str(word) for pair in values.items() for word in pair]


@dataclass(frozen=True)
class Job:
    """A whole training, from the start of the process to its end."""

    epochs: int = 3
    batch: int = 128

    def title(self):
        """For headings."""
        return f"whole job: cnn on Fashion-MNIST, {self.epochs} epochs, batch {self.batch:,}, test accuracy at the end"


@dataclass(frozen=True)
class Row:
    """A line of the table: a figure of a work, and its goals.

    Of speed and seconds, the figure is how many times faster than the fastest peer; of memory, the
    share of the thriftiest peer's, or where `in_mb`, tinderbox's own.
    """

    name: str
    work: object
    must: float
    aim: float
    figure: str = SPEED
    in_mb: bool = False


CNN = Work("cnn", 28, 1)
RESNET18, MOBILENET_V2 = Work("resnet18", 32, 3), Work("mobilenet_v2", 32, 3)

ROWS = [
    Row("cnn", CNN, 3, 5),
    Row("lenet", Work("lenet", 32, 3), 2, 4),
    Row("mlp", Work("mlp", 32, 3), 1.2, 1.5),
    Row("cnn-16", Work("cnn", 28, 1, batch=16), 3, 5),
    Row("cnn-1024", Work("cnn", 28, 1, batch=1024), 3, 5),
    Row("resnet18", RESNET18, 1.2, 2),
    Row("mobilenet_v2", MOBILENET_V2, 1.5, 3),
    Row("resnet18-224", Work("resnet18", 224, 3, batch=16), 1.1, 1.6),
    Row("mobilenet_v2-224", Work("mobilenet_v2", 224, 3, batch=16), 1.4, 2.5),
    Row("inference-1000", Work("cnn", 28, 1, batch=1000, kind=common.INFERENCE), 3, 5),
    Row("inference-1", Work("cnn", 28, 1, batch=1, kind=common.INFERENCE), 3, 5),
    Row("memory-cnn", CNN, 200, 120, figure=MEMORY, in_mb=True),
    Row("memory-resnet18", RESNET18, 0.6, 0.4, figure=MEMORY),
    Row("memory-mobilenet_v2", MOBILENET_V2, 0.6, 0.4, figure=MEMORY),
    Row("job", Job(), 3, 6, figure=SECONDS),
]


def works(rows):
    """The works that the rows need, each once."""
    return list(dict.fromkeys(row.work for row in rows))
