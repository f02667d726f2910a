"""What a model computes: its layers, and how their features are seen.

Begin with `find`. Layers come from the calls of a watched pass (`trace`, `origins`, `search`), or
where there is no example from the modules alone (`structure`); both ask `kinds` what a module is.
The answer is a `plan`, and `capture` hands on the features that it names: it watches `calls` from
outside of the modules, of which those give samples that `counting` says. Passes of our own
(`passes`, `habits`) put back what they change (`state`, `put_back`, `copies`).
"""
