# Trains an own network on own folders, with options as in MXNet's image classification scripts.
import argparse
import logging
import os
from importlib import import_module

import mxnet as mx

parser = argparse.ArgumentParser(description="train on folders", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
parser.add_argument("--network", type=str, default="small_net", help="module with get_symbol")
parser.add_argument("--data-train", type=str, help="the training data")
parser.add_argument("--data-val", type=str, help="the validation data")
parser.add_argument("--image-shape", type=str, default="3,28,28")
parser.add_argument("--num-classes", type=int, default=10)
parser.add_argument("--num-examples", type=int, default=8000)
parser.add_argument("--rgb-mean", type=str, default="123.68,116.779,103.939")
parser.add_argument("--data-nthreads", type=int, default=2)
parser.add_argument("--random-crop", type=int, default=1)
parser.add_argument("--random-mirror", type=int, default=1)
parser.add_argument("--max-random-h", type=int, default=0)
parser.add_argument("--max-random-s", type=int, default=0)
parser.add_argument("--max-random-l", type=int, default=0)
parser.add_argument("--max-random-aspect-ratio", type=float, default=0)
parser.add_argument("--max-random-rotate-angle", type=int, default=0)
parser.add_argument("--max-random-shear-ratio", type=float, default=0)
parser.add_argument("--max-random-scale", type=float, default=1)
parser.add_argument("--min-random-scale", type=float, default=1)
parser.add_argument("--gpus", type=str, help="list of gpus to run, e.g. 0 or 0,2,5. empty means using cpu")
parser.add_argument("--kv-store", type=str, default="device")
parser.add_argument("--num-epochs", type=int, default=100)
parser.add_argument("--batch-size", type=int, default=128)
parser.add_argument("--optimizer", type=str, default="sgd")
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--lr-factor", type=float, default=0.1)
parser.add_argument("--lr-step-epochs", type=str, default="30,60")
parser.add_argument("--mom", type=float, default=0.9)
parser.add_argument("--wd", type=float, default=0.0001)
parser.add_argument("--disp-batches", type=int, default=20)
parser.add_argument("--top-k", type=int, default=0)
parser.add_argument("--model-prefix", type=str)
parser.add_argument("--load-epoch", type=int)
args = parser.parse_args()

kv = mx.kvstore.create(args.kv_store)
logging.basicConfig(level=logging.DEBUG, format="%(asctime)-15s Node[" + str(kv.rank) + "] %(message)s")
logging.info("start with arguments %s", args)

image_shape = tuple([int(l) for l in args.image_shape.split(",")])
rgb_mean = [float(i) for i in args.rgb_mean.split(",")]
train = mx.io.ImageRecordIter(
    path_imgrec=args.data_train,
    path_imgidx=os.path.splitext(args.data_train)[0] + ".idx",
    label_width=1,
    mean_r=rgb_mean[0],
    mean_g=rgb_mean[1],
    mean_b=rgb_mean[2],
    data_name="data",
    label_name="softmax_label",
    data_shape=image_shape,
    batch_size=args.batch_size,
    rand_crop=args.random_crop,
    max_random_scale=args.max_random_scale,
    min_random_scale=args.min_random_scale,
    max_aspect_ratio=args.max_random_aspect_ratio,
    random_h=args.max_random_h,
    random_s=args.max_random_s,
    random_l=args.max_random_l,
    max_rotate_angle=args.max_random_rotate_angle,
    max_shear_ratio=args.max_random_shear_ratio,
    rand_mirror=args.random_mirror,
    preprocess_threads=args.data_nthreads,
    shuffle=True,
    num_parts=kv.num_workers,
    part_index=kv.rank,
)
val = mx.io.ImageRecordIter(
    path_imgrec=args.data_val,
    mean_r=rgb_mean[0],
    mean_g=rgb_mean[1],
    mean_b=rgb_mean[2],
    data_shape=image_shape,
    batch_size=args.batch_size,
    rand_crop=False,
    rand_mirror=False,
    preprocess_threads=args.data_nthreads,
    num_parts=kv.num_workers,
    part_index=kv.rank,
)

sym = import_module(args.network).get_symbol(**vars(args))
arg_params, aux_params = None, None
if args.load_epoch is not None:
    sym, arg_params, aux_params = mx.model.load_checkpoint(args.model_prefix, args.load_epoch)
    logging.info("Loaded model %s_%04d.params", args.model_prefix, args.load_epoch)

devs = mx.cpu() if args.gpus is None or args.gpus == "" else [mx.gpu(int(i)) for i in args.gpus.split(",")]
epoch_size = args.num_examples / args.batch_size / kv.num_workers
steps = [int(epoch_size * float(x)) for x in args.lr_step_epochs.split(",")]
model = mx.mod.Module(context=devs, symbol=sym)
optimizer_params = {
    "learning_rate": args.lr,
    "wd": args.wd,
    "momentum": args.mom,
    "lr_scheduler": mx.lr_scheduler.MultiFactorScheduler(step=steps, factor=args.lr_factor),
}
eval_metrics = ["accuracy"]
if args.top_k > 0:
    eval_metrics.append(mx.metric.create("top_k_accuracy", top_k=args.top_k))
model.fit(
    train,
    begin_epoch=args.load_epoch if args.load_epoch else 0,
    num_epoch=args.num_epochs,
    eval_data=val,
    eval_metric=eval_metrics,
    kvstore=kv,
    optimizer=args.optimizer,
    optimizer_params=optimizer_params,
    initializer=mx.init.Xavier(rnd_type="gaussian", factor_type="in", magnitude=2),
    arg_params=arg_params,
    aux_params=aux_params,
    batch_end_callback=[mx.callback.Speedometer(args.batch_size, args.disp_batches)],
    epoch_end_callback=mx.callback.do_checkpoint(args.model_prefix) if args.model_prefix else None,
    allow_missing=True,
)
