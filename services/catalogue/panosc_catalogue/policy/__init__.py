"""The data policy at work on single proposals and datasets: what the staff decides, and what holds."""
