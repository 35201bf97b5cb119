"""Pictures of the lessons, one module per subject; lessons call them through :mod:`cs231n.vis_utils`.

A picture names its axes and sets its title; the caller shows it. Arguments go unchecked, except where a slip would draw
a wrong picture in silence.
"""
