// Turns a record into one sample of a batch, in one pass. The result is defined by recordkit.loading.python.
#pragma once

#include "convert.hpp"
#include "geometry.hpp"

namespace recordkit {

struct LoadPlan {
    std::vector<Step> steps;
    int channels = 3;           // 3, 1 or 4, as in recordkit.codec
    bool gray_only = false;     // colour images are left to the reference engine, which refuses them
    bool scale_in_dct = false;  // let the JPEG decoder do the first part of a large reduction
    uint64_t seed = 0;
    Target target;
};

// Decode an image, apply the steps, and write the result into `sample`, which has plan.target.bytes() bytes in a batch
// that the caller owns. Throws Unsupported if the reference engine has to load the sample; `sample` is then undefined.
void load_image(Span payload, const LoadPlan& plan, uint32_t epoch, uint64_t position, MutableSpan sample);

// Decode an image and apply the steps; the result may have any size, and plan.target is not used. Throws Unsupported.
Image make_image(Span payload, const LoadPlan& plan, uint32_t epoch, uint64_t position);

// A record, divided as in recordkit/formats/irheader.py. Both spans are views of the record, valid as long as its
// bytes.
struct RecordHeader {
    Span labels;  // float32, little-endian, at any alignment; one label if the file has a label without a vector
    Span payload;
};

// Throws Unsupported for a record that is too short for its header and labels.
RecordHeader read_header(Span record);

}  // namespace recordkit
