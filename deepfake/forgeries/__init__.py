"""forgeries: how a fake is made of a real video, a file a method.

NAME.py has `PEOPLE`, how many a fake shows (2: the source's face on the target; 1: the target alone), and
`forged(target: Footage, source: Footage, resolution: int) -> Iterator[Images]`: an image for each frame of the target,
of its size. The source is a video of another person, of any length: `endless` goes on with it from its start. Frames
without a face (NaN in their shape) stay as they are. `resolution` px is what a generator would draw a face in; 0 leaves
that to the method. The same footage gives the same images.
"""
