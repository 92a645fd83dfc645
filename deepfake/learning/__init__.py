"""learning: what a training is made of beside its network: batches, steps, machines, checkpoints."""
