"""One number of a model beside the ranks of its layers: sharpness, stiffness, whatever a user asks.

Begin with `contract`, the shape of such a quantity; `given` refuses what it cannot be handed,
`losses` is what a monitor hands it, `evaluate` calls it so that the training does not notice, and
`of_layer` makes one of a function of features.
"""
