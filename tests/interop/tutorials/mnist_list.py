# Makes a list for im2rec from a flat folder of images such as 000000_5.png.
import os
import sys
from random import seed, shuffle

folder, list_name = sys.argv[1], sys.argv[2]
seed(42)
names = os.listdir(folder)
names.sort()
shuffle(names)
with open(list_name, "w") as f:
    for i, name in enumerate(names):
        label = name[: name.rfind(".")].split("_")[1]
        line = "{}\t{}\t{}\n".format(i, label, name)
        f.write(line)
