"""Loads a .rec in one way, epoch after epoch, and prints how many images and how long.

Usage: python benchmarks/_load.py {native,python,mxnet,dali,torch,ffcv} WORK PREFIX EPOCHS THREADS

WORK is one of those in WORKS. One epoch goes before, untimed. Batches of 64 arrive in Python, where nothing is done
with them.
"""

import json
import sys
import time

BATCH = 64
MEAN, STD = (123.68, 116.28, 103.53), (58.4, 57.1, 57.4)
# What is done to images, and what comes out.
WORKS = {
    "crop": ("crop", "float32"),
    "crop-uint8": ("crop", "uint8"),
    "resize": ("resize", "float32"),
    "rrc": ("rrc", "float32"),
    "rrc-uint8": ("rrc", "uint8"),
    "gray": ("none", "float32"),
}


def main(who, work, prefix, n_epochs, n_threads):
    """Time one case."""
    epoch = PEERS[who](*WORKS[work], prefix, n_threads)
    epoch()
    begin_s = time.perf_counter()
    n = sum(epoch() for _ in range(n_epochs))
    print(json.dumps({"n": n, "seconds": time.perf_counter() - begin_s}))


def _recordkit(engine):
    def make(change, dtype, prefix, n_threads):
        import recordkit as rk

        transforms = {
            "crop": [rk.RandomCrop(224), rk.RandomFlip()],
            "resize": [rk.Resize(256), rk.RandomCrop(224), rk.RandomFlip()],
            "rrc": [rk.RandomResizedCrop(224), rk.RandomFlip()],
            "none": [],
        }[change]
        options = {"channels": 1 if change == "none" else 3}
        if dtype == "float32":
            options |= {"dtype": "float32", "layout": "NCHW"}
            if change != "none":
                transforms.append(rk.Normalize(MEAN, STD))
        loader = rk.Loader(
            f"{prefix}.rec",
            batch_size=BATCH,
            shuffle=True,
            threads=n_threads,
            engine=engine,
            transforms=transforms,
            **options,
        )
        return lambda: sum(batch.n_valid for batch in loader)

    return make


def _mxnet(change, dtype, prefix, n_threads):
    from recordkit.interop import mxnet

    mx = mxnet.load()
    options = {
        "crop": {"rand_crop": True, "rand_mirror": True},
        "resize": {"resize": 256, "rand_crop": True, "rand_mirror": True},
        "rrc": {
            "random_resized_crop": True,
            "min_random_area": 0.08,
            "max_random_area": 1.0,
            "min_aspect_ratio": 3 / 4,
            "max_aspect_ratio": 4 / 3,
            "rand_mirror": True,
        },
        "none": {},
    }[change]
    if change != "none" and dtype == "float32":
        options |= dict(zip(("mean_r", "mean_g", "mean_b"), MEAN, strict=True))
        options |= dict(zip(("std_r", "std_g", "std_b"), STD, strict=True))
    iterator = (mx.io.ImageRecordUInt8Iter if dtype == "uint8" else mx.io.ImageRecordIter)(
        path_imgrec=f"{prefix}.rec",
        path_imgidx=f"{prefix}.idx",
        data_shape=(1, 28, 28) if change == "none" else (3, 224, 224),
        batch_size=BATCH,
        shuffle=True,
        preprocess_threads=n_threads,
        prefetch_buffer=4,
        ctx="cpu",  # else it uses half of the CPUs at most
        round_batch=False,
        verbose=False,
        **options,
    )

    with open(f"{prefix}.idx", "rb") as lines:
        n_records = sum(1 for _ in lines)

    def epoch():
        iterator.reset()
        for batch in iterator:
            batch.data[0].wait_to_read()
        return n_records  # its `pad` is 0 at times

    return epoch


def _dali(change, dtype, prefix, n_threads):
    from nvidia.dali import fn, pipeline_def, types

    @pipeline_def(batch_size=BATCH, num_threads=n_threads, device_id=None, seed=1)
    def pipeline():
        data, label = fn.readers.mxnet(
            path=[f"{prefix}.rec"], index_path=[f"{prefix}.idx"], random_shuffle=True, name="reader"
        )
        kind = types.GRAY if change == "none" else types.RGB
        if change == "rrc":
            images = fn.decoders.image_random_crop(data, device="cpu", output_type=kind, random_area=[0.08, 1.0])
            images = fn.resize(images, size=[224, 224], interp_type=types.INTERP_TRIANGULAR)
        else:
            images = fn.decoders.image(data, device="cpu", output_type=kind)
        if change == "resize":
            images = fn.resize(images, resize_shorter=256, interp_type=types.INTERP_TRIANGULAR)
        place = {} if change == "none" else {"crop": (224, 224)}
        if change in ("crop", "resize"):
            place |= {"crop_pos_x": fn.random.uniform(range=(0, 1)), "crop_pos_y": fn.random.uniform(range=(0, 1))}
        if change != "none":
            place |= {"mirror": fn.random.coin_flip()}
        if dtype == "float32":
            normal = {} if change == "none" else {"mean": list(MEAN), "std": list(STD)}
            images = fn.crop_mirror_normalize(images, dtype=types.FLOAT, output_layout="CHW", **normal, **place)
        else:
            images = fn.crop_mirror_normalize(
                images, dtype=types.UINT8, output_layout="HWC", mean=[0.0] * 3, std=[1.0] * 3, **place
            )
        return images, label

    built = pipeline()
    built.build()
    n_records = built.epoch_size("reader")

    def epoch():
        n = 0
        while n < n_records:
            images, _ = built.run()
            n += images.as_tensor().shape()[0]
        return n

    return epoch


def _torch(change, dtype, prefix, n_threads):
    """Pillow in worker processes, as most people have it."""
    import io

    import numpy as np
    import torch
    from PIL import Image

    from recordkit.recordio import MXIndexedRecordIO, unpack

    mean, factor = np.float32(MEAN)[:, None, None], 1 / np.float32(STD)[:, None, None]

    class Records(torch.utils.data.Dataset):
        def __init__(self):
            self.file = MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "r")
            self.keys = self.file.keys

        def __len__(self):
            return len(self.keys)

        def __getitem__(self, index):
            header, payload = unpack(self.file.read_idx(self.keys[index]))
            image = Image.open(io.BytesIO(payload)).convert("L" if change == "none" else "RGB")
            rng = np.random.default_rng()
            if change == "resize":
                scale = 256 / min(image.size)
                image = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BILINEAR)
            if change == "rrc":
                area, aspect = image.width * image.height * rng.uniform(0.08, 1), np.exp(rng.uniform(-0.288, 0.288))
                w, h = min(image.width, int((area * aspect) ** 0.5)), min(image.height, int((area / aspect) ** 0.5))
                x, y = rng.integers(0, image.width - w + 1), rng.integers(0, image.height - h + 1)
                image = image.resize((224, 224), Image.Resampling.BILINEAR, (x, y, x + w, y + h))
            pixels = np.asarray(image)
            if change in ("crop", "resize"):
                y, x = rng.integers(0, pixels.shape[0] - 223), rng.integers(0, pixels.shape[1] - 223)
                pixels = pixels[y : y + 224, x : x + 224]
            if change == "none":
                return torch.from_numpy(pixels[None].astype(np.float32)), header.label
            if rng.random() < 0.5:
                pixels = pixels[:, ::-1]
            if dtype == "uint8":
                return torch.from_numpy(np.ascontiguousarray(pixels)), header.label
            return torch.from_numpy((pixels.transpose(2, 0, 1) - mean) * factor), header.label

    loader = torch.utils.data.DataLoader(
        Records(), batch_size=BATCH, shuffle=True, num_workers=n_threads, persistent_workers=True
    )
    return lambda: sum(len(images) for images, _ in loader)


def _ffcv(change, dtype, prefix, n_threads):
    """FFCV, which has a file format of its own: JPEGs of quality 95, or pixels where the records are raw."""
    from pathlib import Path

    import numpy as np
    from ffcv.fields import IntField, RGBImageField
    from ffcv.fields.decoders import IntDecoder, RandomResizedCropRGBImageDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.transforms import RandomHorizontalFlip, ToTensor
    from ffcv.writer import DatasetWriter

    if (change, dtype) != ("rrc", "uint8"):
        raise SystemExit("FFCV is compared where it decodes to uint8")
    beton = Path(f"{prefix}.beton")
    if not beton.exists():
        import recordkit as rk
        from recordkit import codec

        dataset = rk.RecordDataset(f"{prefix}.rec")
        mode = "raw" if bytes(dataset[0].payload[:1]) == b"P" else "jpg"

        class Images:
            def __len__(self):
                return len(dataset)

            def __getitem__(self, index):
                sample = dataset[int(index)]
                return np.array(codec.decode(sample.payload, channels=3)), int(sample.label)

        fields = {"image": RGBImageField(write_mode=mode, jpeg_quality=95), "label": IntField()}
        DatasetWriter(str(beton), fields, num_workers=1).from_indexed_dataset(Images())
    loader = Loader(
        str(beton),
        batch_size=BATCH,
        num_workers=n_threads,
        order=OrderOption.RANDOM,
        os_cache=True,
        drop_last=False,
        pipelines={
            "image": [RandomResizedCropRGBImageDecoder((224, 224)), RandomHorizontalFlip(), ToTensor()],
            "label": [IntDecoder(), ToTensor()],
        },
    )
    return lambda: sum(len(images) for images, _ in loader)


PEERS = {
    "native": _recordkit("native"),
    "python": _recordkit("python"),
    "mxnet": _mxnet,
    "dali": _dali,
    "torch": _torch,
    "ffcv": _ffcv,
}

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
