"""The same image back: verified latents, what keeps them exact, and what is proven and measured."""
