"""The lessons' images as a data set of PyTorch."""

from collections.abc import Callable

import torch
from torch.utils.data import Dataset

from ..arguments import instance
from .lesson_data import class_names, data_set_name, get_images

__all__ = ["Images"]


class Images(Dataset):
    """One split of CIFAR-10 where it has been fetched, else of Shapes-10.

    Any copy of CIFAR-10 in the published format will do; torchvision's own class refuses one whose checksums differ.

    Parameters
    ----------
    split : {"train", "val", "train+val", "test"}
        As for :func:`~cs231n.data_utils.get_images`, whose errors are passed on.
    transform : callable, optional
        Applied to each uint8 image (3, 32, 32) that is indexed, such as one of torchvision.transforms.v2. It is called
        once per image, so each image of a batch draws its own random numbers.

    Attributes
    ----------
    images : uint8 tensor (N, 3, 32, 32)
        All of them, contiguous and untransformed, for transforming a batch at a time.
    labels : int64 tensor (N,)
    classes : list of str
        ``classes[y]`` is the name of label ``y``.

    Examples
    --------
    >>> training = Images("train", transform=v2.ToDtype(torch.float32, scale=True))
    >>> batches = DataLoader(training, batch_size=64, shuffle=True)
    """

    def __init__(self, split, transform=None):
        self.transform = instance("transform", transform, Callable | None, "a function or None")
        images, labels = get_images(split)
        self.images, self.labels = torch.from_numpy(images), torch.from_numpy(labels)
        self.classes = class_names()
        self._description = f"{split} split of {data_set_name()}"

    def __repr__(self):
        return f"Images({len(self)} images, {self._description})"

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        """An image, transformed, and its label as an int."""
        return self._transformed(self.images[i]), int(self.labels[i])

    def __getitems__(self, indices):
        """The examples of a batch as a list, which is how a DataLoader fetches them."""
        return list(zip(map(self._transformed, self.images[indices]), self.labels[indices].tolist(), strict=True))

    def _transformed(self, image):
        return image if self.transform is None else self.transform(image)
