"""deepfake: raw videos in, a trained and honestly evaluated deepfake detector out."""
