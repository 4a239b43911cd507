"""DensePose (Güler et al. 2018), R_50_FPN_s1x charts: inference alone, in plain torch.

The modules bear detectron2's names, so that its published checkpoint loads key by key; detectron2
itself is not needed. `estimator` is the room's door.
"""
