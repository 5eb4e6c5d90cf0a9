# Draws the accuracy over the epochs from the log of a training: mnist_curves.py LOG PICTURE
import re
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

TRAIN = re.compile(r"Epoch\[(\d+)\] Train-accuracy=([.\d]+)")
VAL = re.compile(r"Epoch\[(\d+)\] Validation-accuracy=([.\d]+)")
SPEED = re.compile(r"Epoch\[(\d+)\] Batch \[[-\d]+\]\s+Speed: ([.\d]+) samples/sec\s+accuracy=([.\d]+)")

log = open(sys.argv[1]).read()
train_acc = [float(acc) for _, acc in TRAIN.findall(log)]
val_acc = [float(acc) for _, acc in VAL.findall(log)]
speed = [float(s) for _, s, _ in SPEED.findall(log)]
print("{} epochs, {} speeds, last accuracy {}".format(len(train_acc), len(speed), val_acc[-1]))

plt.figure("Training curves")
plt.plot(range(len(train_acc)), train_acc, label="train")
plt.plot(range(len(val_acc)), val_acc, "r--", label="val")
plt.xlabel("epoch")
plt.ylabel("accuracy")
plt.legend(loc="lower right")
plt.savefig(sys.argv[2])
