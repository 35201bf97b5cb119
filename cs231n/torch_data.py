"""The lessons' images as a data set of PyTorch."""

from collections.abc import Callable
from operator import index

import torch
from torch.utils.data import Dataset

from .data_utils import class_names, data_set_name, get_images
from .layers.arguments import require_type

__all__ = ["Images"]


class Images(Dataset):
    """One split of CIFAR-10 where it has been fetched, else of Shapes-10.

    Reads what :func:`~cs231n.data_utils.get_images` reads, so that any copy of CIFAR-10 in the published format will
    do; torchvision's own class refuses one whose checksums differ.

    Parameters
    ----------
    split : {"train", "val", "train+val", "test"}
        The last thousand training images are "val", the others "train".
    transform : callable, optional
        Makes of a uint8 image (3, 32, 32) what an index gives, such as one of torchvision.transforms.v2. It is called
        for each image, so that the images of a batch draw random numbers of their own.

    Attributes
    ----------
    images : uint8 tensor (N, 3, 32, 32)
        All of them, in one contiguous block and untransformed, for those who transform a batch at a time.
    labels : int64 tensor (N,)
    classes : list of str
        ``classes[y]`` is the name of label ``y``.

    Raises
    ------
    ValueError, FileNotFoundError
        As :func:`~cs231n.data_utils.get_images`.

    Examples
    --------
    >>> training = Images("train", transform=v2.ToDtype(torch.float32, scale=True))
    >>> batches = DataLoader(training, batch_size=64, shuffle=True)
    """

    def __init__(self, split, transform=None):
        if transform is not None:
            require_type("transform", transform, Callable, "a function or None")
        images, labels = get_images(split)
        self.images, self.labels = torch.from_numpy(images), torch.from_numpy(labels)
        self.classes = class_names()
        self.transform = transform
        self._description = f"{split} split of {data_set_name()}"

    def __repr__(self):
        return f"Images({len(self)} images, {self._description})"

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        """An image, transformed, and its label as a plain integer."""
        i = index(i)
        return self._transformed(self.images[i]), int(self.labels[i])

    def __getitems__(self, indices):
        """The examples of a batch, as a list; a DataLoader asks for them so."""
        return list(zip(map(self._transformed, self.images[indices]), self.labels[indices].tolist(), strict=True))

    def _transformed(self, image):
        return image if self.transform is None else self.transform(image)
