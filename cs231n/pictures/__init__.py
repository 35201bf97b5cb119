"""Pictures of the lessons, one module per subject; lessons call them through :mod:`cs231n.vis_utils`.

A picture names its axes and sets its title; the caller shows it. Arguments go unchecked.
"""

import importlib
import logging

# Where the home folder cannot be written, Matplotlib caches its fonts elsewhere, and would say so inside a lesson.
_log = logging.getLogger("matplotlib")
_log.setLevel(logging.ERROR)
importlib.import_module("matplotlib.pyplot")
_log.setLevel(logging.NOTSET)
