// The two passes of a resize, for one instruction set. resize.cpp includes this file once for each instruction set, in
// a namespace that has `Lanes`, the functions on them, and the attribute TARGET of its functions. Hence there is no
// include guard.

// Widen input rows into the ring, up to row `last`.
TARGET void fill_ring(Scratch& scratch, const ImageView& image, int last) {
    const size_t n = size_t(image.width) * image.channels;
    for (; scratch.next <= last; ++scratch.next) {
        const uint8_t* levels = image.row(scratch.next);
        int16_t* slot = scratch.slot(scratch.next);
        size_t i = 0;
        for (; i + kLanes <= n; i += kLanes) widen(levels + i, slot + i);
        for (; i < n; ++i) slot[i] = static_cast<int16_t>(levels[i] << kFractionBits);
    }
}

// First pass: combine rows of the ring into sixteen result rows, and transpose them.
TARGET void combine_rows(Scratch& scratch, const size_t ends[kLanes]) {
    for (size_t i = 0; i < scratch.stride; i += kLanes) {
        int16_t tile[kLanes * kLanes];  // [lane][value]
        const RowTap* tap = scratch.taps.data();
        for (size_t lane = 0; lane < kLanes; ++lane) {
            Lanes sum{};
            for (const RowTap* end = scratch.taps.data() + ends[lane]; tap != end; ++tap)
                sum = add_product(sum, load(tap->row + i), load(tap->weight));
            put(tile + lane * kLanes, sum);
        }
        transpose(tile, &scratch.columns[i * kLanes]);
    }
}

// Second pass: combine columns, for sixteen result rows at once. C is the number of channels.
template <int C>
TARGET void combine_columns(Scratch& scratch, const Taps& taps, uint32_t width, int16_t bias) {
    for (uint32_t x = 0; x < width; ++x) {
        const int16_t* weights = taps.line_weights(x);
        const int16_t* values = &scratch.columns[size_t(taps.first[x]) * C * kLanes];
        Lanes sums[C] = {};
        for (int n = 0; n < taps.count[x]; ++n) {
            const Lanes weight = broadcast(weights[n]);
            for (int c = 0; c < C; ++c, values += kLanes) sums[c] = add_product(sums[c], load(values), weight);
        }
        for (int c = 0; c < C; ++c) narrow(sums[c], bias, &scratch.bytes[(size_t(x) * C + c) * kLanes]);
    }
}

// Transpose the bytes back and store each lane in its row of the result.
TARGET void store(const Scratch& scratch, size_t n, uint8_t* const rows[kLanes]) {
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) transpose(&scratch.bytes[i * kLanes], rows, i);
    for (; i < n; ++i)
        for (size_t lane = 0; lane < kLanes; ++lane) rows[lane][i] = scratch.bytes[i * kLanes + lane];
}

TARGET void run(const ResizeJob& job) {
    Scratch& scratch = job.scratch;
    Image& result = job.result;
    for (size_t y = 0; y < result.height; y += kLanes) {
        size_t ends[kLanes];
        uint8_t* targets[kLanes];
        fill_ring(scratch, job.image, job.rows.last(std::min<size_t>(y + kLanes, result.height) - 1));
        gather_taps(job, y, ends, targets);
        combine_rows(scratch, ends);
        if (result.channels == 1) combine_columns<1>(scratch, job.columns, result.width, job.bias);
        else if (result.channels == 3) combine_columns<3>(scratch, job.columns, result.width, job.bias);
        else combine_columns<4>(scratch, job.columns, result.width, job.bias);
        store(scratch, size_t(result.width) * result.channels, targets);
    }
}
