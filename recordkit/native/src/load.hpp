// A record of an image to its place in a batch, in one go. The meaning is recordkit.loading.python's.
#pragma once

#include "convert.hpp"
#include "geometry.hpp"

namespace recordkit {

struct LoadPlan {
    std::vector<Step> steps;
    int channels = 3;           // 3, 1 or 4, as in recordkit.codec
    bool scale_in_dct = false;  // let the JPEG decoder do a part of a large reduction
    uint64_t seed = 0;
    Target target;
};

// Decode an image, do the steps, put it into its place. Throws Unsupported where the reference engine has to decide; the
// place then holds anything.
void load_image(Span payload, const LoadPlan& plan, uint32_t epoch, uint64_t position, void* place);

// Decode an image and do the steps; whatever size that makes. Throws as `load_image`, whose target does not count here.
Image make_image(Span payload, const LoadPlan& plan, uint32_t epoch, uint64_t position);

// What stands before the image in a record; recordkit/formats/irheader.py.
struct RecordHeader {
    uint32_t n_labels;      // in `labels`; 1 also where the file has one label without a vector
    const uint8_t* labels;  // float32, little-endian, perhaps not aligned
    Span payload;
};

// Throws Unsupported for a record that is too short for what it says.
RecordHeader read_header(Span record);

}  // namespace recordkit
