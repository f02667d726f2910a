"""The structured first layer (I3) and its slope, TransNet, and ε-ranks before training.

Begin with `structured`, the public function; `placement` says where neurons go, `slope` how steep
they are.
"""
