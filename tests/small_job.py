"""The smallest run that does everything but time and draw."""

UNTIMED = (
    "-o",
    "shd-synthetic.train=40",
    "-o",
    "shd-synthetic.test=20",
    "-o",
    "mlp.hidden=[8]",
    "--epochs",
    "1",
    "--no-timing",
    "--no-plots",
)
