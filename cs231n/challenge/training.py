"""The training loop of the challenge, what it keeps on disk, and the accuracy of a network."""

import dataclasses
import pickle
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torchvision.transforms import v2

from ..arguments import instance, number
from ..files import replacing
from ..progress import progress_bar
from .resnet import ResNet
from .settings import Settings

__all__ = ["MODEL", "Training", "augmentation", "evaluate", "load_model"]

CHECKPOINT, MODEL = "checkpoint.pt", "model.pt"
PROGRESS = ("random_state", "seconds", "images", "history", "best")  # what a checkpoint says of how far a run is
UNFIT = (EOFError, KeyError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError)  # from a damaged file


class Training:
    """A run of the challenge, for a number of epochs or of seconds.

    Parameters
    ----------
    settings : Settings
    train, val : Images
        Images to learn from, and to measure the accuracy on after each epoch.
    epochs, seconds : float, optional
        How long to train; pass only one. With seconds, the learning rate and the size of the images follow the clock,
        so that the cycle is complete however fast the machine is; the last epoch may be cut short.
    device : str, optional
        Default: a GPU where there is one.
    folder : path, optional
        Where ``checkpoint.pt`` is written after each epoch, and ``model.pt``: the best model so far, and at the end the
        last, which the cycle has brought to rest. Default: nothing is written.
    verbose : bool
        Print a line after each epoch.

    Attributes
    ----------
    model : ResNet
    history : list of dicts
        For each epoch its mean ``loss``, ``accuracy`` on the validation images, ``seconds`` and ``images`` so far.
    seconds, images : float, int
        Time spent so far, validation and saving included, and images learned from, repeats counted.
    best : float
        The best accuracy on the validation images so far; -1 before the end of the first epoch.
    bf16 : bool
        Whether convolutions are computed in bfloat16.

    Raises
    ------
    TypeError, ValueError
        Not exactly one of ``epochs`` and ``seconds`` is given, images lack labels, or PyTorch cannot use the device.
    """

    def __init__(self, settings, train, val, *, epochs=None, seconds=None, device=None, folder=None, verbose=True):
        if (epochs is None) == (seconds is None):
            raise ValueError(f"exactly one of epochs and seconds must be given, got {epochs!r} and {seconds!r}")
        number("epochs" if seconds is None else "seconds", epochs if seconds is None else seconds, above=0)
        self.settings = instance("settings", settings, Settings, "Settings")
        for name, data in (("train", train), ("val", val)):
            if not 0 < len(data.images) == len(data.labels):
                counts = f"{len(data.images)} images and {len(data.labels)} labels"
                raise ValueError(f"{name} must hold at least one image and a label for each, got {counts}")
        self.val, self.verbose, self.folder, self.device = val, verbose, folder and Path(folder), _device(device)
        self.epochs, self.limit, self.reserve = epochs, seconds, 0.0
        self.bf16 = _bf16_is_faster(self.device) if settings.bf16 is None else settings.bf16

        torch.manual_seed(settings.seed)
        self.train_images, self.train_labels = train.images.to(self.device), train.labels.to(self.device)
        self.model = ResNet(settings, len(train.classes)).to(self.device)
        sample = self.train_images[:5000]
        self.model.normalize_as(sample)
        if settings.whiten:
            self.model.whiten(sample)
        learned = [p for p in self.model.parameters() if p.requires_grad]
        decayed, others = [p for p in learned if p.ndim > 1], [p for p in learned if p.ndim == 1]
        groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others}]
        self.optimizer = torch.optim.SGD(groups, lr=settings.peak_rate, momentum=settings.momentum, nesterov=True)
        self.random_state = torch.get_rng_state()
        # What must be the same in another run that is to go on from a checkpoint of this one.
        self.plan = {**dataclasses.asdict(settings), "epochs": epochs, "seconds": seconds, "images": len(train.images)}
        self.batch_size = min(settings.batch_size, len(self.train_labels))
        self.images_per_epoch = len(self.train_labels) // self.batch_size * self.batch_size
        self.seconds, self.images, self.history, self.best = 0.0, 0, [], -1.0

    @property
    def progress(self):
        """Share of the training that is done, 0 to 1."""
        if self.limit is not None:
            return min(self.seconds / (self.limit - self.reserve), 1.0)
        return min(self.images / (self.epochs * self.images_per_epoch), 1.0)

    def run(self, spent=0.0, reserve=0.0):
        """Train to the end, from where the run stands; interrupted by Ctrl-C, leave the best model in the folder.

        Parameters
        ----------
        spent : float
            Seconds already used that count as training, such as for loading.
        reserve : float
            Seconds to leave for what comes after, less than the limit. Both matter only to a run limited in seconds.
        """
        if self.limit is not None and reserve >= self.limit:
            raise ValueError(f"reserve must be less than the run's {self.limit} seconds, got {reserve!r}")
        self.reserve = reserve
        started = time.perf_counter() - self.seconds - spent
        torch.set_rng_state(self.random_state)
        with progress_bar(100, "challenge", "%") as bar:
            try:
                while self.progress < 1:
                    self._epoch(bar, started)
            except KeyboardInterrupt:
                self._validate()
                raise
        self._save(MODEL)
        if self.folder:
            (self.folder / CHECKPOINT).unlink(missing_ok=True)

    def _epoch(self, bar, started):
        losses = []
        order = torch.randperm(len(self.train_labels)).to(self.device)
        for rows in order[: self.images_per_epoch].split(self.batch_size):
            if self.progress >= 1:
                break
            losses.append(self._step(rows))
            self.images += len(rows)
            self.seconds = time.perf_counter() - started
            bar.update(int(100 * self.progress) - bar.n)
        loss, accuracy = torch.stack(losses).mean().item(), self._validate()
        self.random_state = torch.get_rng_state()
        self.seconds = time.perf_counter() - started
        self.history.append({"loss": loss, "accuracy": accuracy, "seconds": self.seconds, "images": self.images})
        if self.verbose:
            bar.write(f"epoch {len(self.history):2}  {self.seconds:6.1f} s  loss {loss:.3f}  validation {accuracy:.1%}")
        self._save(CHECKPOINT, optimizer=self.optimizer.state_dict(), **{name: vars(self)[name] for name in PROGRESS})

    def _step(self, rows):
        """Update the parameters on the images of these rows, and return their loss before the update."""
        settings, progress = self.settings, self.progress
        images = augmentation(settings, settings.size(progress))(self.train_images[rows])
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate(progress)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            scores = self.model(images)
        loss = F.cross_entropy(scores.float(), self.train_labels[rows], label_smoothing=settings.label_smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _validate(self):
        """Accuracy on the validation images; the best model so far is saved."""
        accuracy = evaluate(self.model, self.val, self.bf16)
        if accuracy > self.best:
            self.best = accuracy
            self._save(MODEL)
        return accuracy

    def _save(self, name, **state):
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.folder / name) as file:
                torch.save({"model": self.model.state_dict(), "plan": self.plan, **state}, file)

    def resume(self):
        """Load the run whose checkpoint is in the folder.

        Returns
        -------
        found : bool
            Whether there is one. If so, :meth:`run` goes on after the last epoch that was finished.

        Raises
        ------
        ValueError
            The file is damaged, is no checkpoint or belongs to another run, or Training was given no folder.
        """
        if self.folder is None:
            raise ValueError("folder must be given to Training for a run to be resumed, got None")
        path, remedy = self.folder / CHECKPOINT, "name another folder, or delete the file to start anew"
        if not path.exists():
            return False
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            pairs = [(name, state["plan"].get(name), mine) for name, mine in self.plan.items()]
            differing = [f"{name} {theirs!r} instead of {mine!r}" for name, theirs, mine in pairs if theirs != mine]
            if not differing:
                self.model.load_state_dict(state["model"])
                self.optimizer.load_state_dict(state["optimizer"])
                vars(self).update({name: state[name] for name in PROGRESS})
        except UNFIT as error:
            raise ValueError(f"{path} is damaged, or of another network: {remedy}") from error
        if differing:
            raise ValueError(f"{path} is of another run, with {', '.join(differing)}: {remedy}")
        return True


def augmentation(settings, size):
    """What happens to the images of a training batch.

    Parameters
    ----------
    settings : Settings
    size : int
        Height and width to scale to.

    Returns
    -------
    transform : callable
        From uint8 images (N, 3, H, W) to uint8 images (N, 3, size, size).
    """

    def transform(images):
        if settings.augment:
            shift = v2.RandomCrop(images.shape[-2:], padding=4, padding_mode="reflect")
            shift_and_mirror = v2.Compose([shift, v2.RandomHorizontalFlip()])
            # A transform draws once a call. Four images share a draw: one call each would take much longer.
            images = torch.cat([shift_and_mirror(group) for group in images.split(4)])
        return v2.functional.resize(images, [size, size], antialias=True)

    return transform


def evaluate(model, data, bf16=False, mirrored=True):
    """Accuracy of a network that sees each image as it is and, if wanted, mirrored, and adds up the probabilities.

    Parameters
    ----------
    model : ResNet
    data : Images
    bf16 : bool
        Compute convolutions in bfloat16.
    mirrored : bool
        Whether the mirrored view counts, too.

    Returns
    -------
    accuracy : float
        Share of the images that are classified correctly, 0 to 1.
    """
    device, training, right = model.mean.device, model.training, 0
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for images, labels in zip(data.images.split(1000), data.labels.split(1000)):
            images = images.to(device)
            views = (images, images.flip(3)) if mirrored else (images,)
            probabilities = sum(model(view).float().softmax(dim=1) for view in views)
            right += (probabilities.argmax(dim=1).cpu() == labels).sum().item()
    model.train(training)
    return right / len(data.labels)


def load_model(path, device=None):
    """A network that :class:`Training` has saved as ``model.pt``.

    Parameters
    ----------
    path : path
    device : str, optional
        Default: a GPU where there is one.

    Returns
    -------
    model : ResNet
        Ready to evaluate.

    Raises
    ------
    ValueError
        The file is damaged or holds something else, or PyTorch cannot use the device.
    """
    device = _device(device)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        choices = {field.name: state["plan"][field.name] for field in dataclasses.fields(Settings)}
        model = ResNet(Settings(**choices), len(state["model"]["scores.weight"]))
        model.load_state_dict(state["model"])
    except UNFIT as error:
        raise ValueError(f"{path} is damaged, or holds no model of the challenge: train one with Training") from error
    return model.to(device).eval()


def _device(name):
    """The device of that name; None: a GPU where there is one."""
    device = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # torch without CUDA fails an assertion
        raise ValueError(f"device must be one that PyTorch can use here, got {device!r}") from error


def _bf16_is_faster(device):
    """Whether the processor has instructions for bfloat16; without them it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Asked, not timed: what a busy machine does to one measurement must not decide over a whole run.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in names)
