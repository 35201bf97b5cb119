"""The error of an exercise whose body is still to be written."""

__all__ = ["Unwritten"]


class Unwritten(NotImplementedError):
    """What the exercises of the student edition raise, and nothing else: a lesson goes on where it meets it.

    Its message begins with the name of the function: ``"affine_forward: lesson FullyConnectedNets, section 2"``.
    """
