// The two passes of a resize, for one set of instructions: resize.cpp includes this once for each, in a namespace that
// has `Lanes` and the functions on them, with TARGET as what functions for it are declared with.
// No include guard, on purpose.

TARGET void fill_ring(Scratch& scratch, const ImageView& image, int last) {
    const size_t n = size_t(image.width) * image.channels;
    for (; scratch.next <= last; ++scratch.next) {
        const uint8_t* from = image.row(scratch.next);
        int16_t* to = scratch.slot(scratch.next);
        size_t i = 0;
        for (; i + kLanes <= n; i += kLanes) widen(from + i, to + i);
        for (; i < n; ++i) to[i] = static_cast<int16_t>(from[i] << kValueBits);
    }
}

TARGET void weigh_rows(Scratch& scratch, const size_t ends[kLanes]) {
    for (size_t i = 0; i < scratch.stride; i += kLanes) {
        int16_t tile[kLanes * kLanes];  // a row of values for each of the result rows
        const Weighed* tap = scratch.taps.data();
        for (size_t lane = 0; lane < kLanes; ++lane) {
            Lanes sum{};
            for (const Weighed* end = scratch.taps.data() + ends[lane]; tap != end; ++tap)
                sum = add_weighed(sum, load(tap->row + i), load(tap->weight));
            put(tile + lane * kLanes, sum);
        }
        transpose(tile, &scratch.weighed[i * kLanes]);
    }
}

template <int C>
TARGET void weigh_columns(Scratch& scratch, const Taps& taps, uint32_t width, int16_t bias) {
    for (uint32_t x = 0; x < width; ++x) {
        const int16_t* weights = taps.of(x);
        const int16_t* from = &scratch.weighed[size_t(taps.first[x]) * C * kLanes];
        Lanes sums[C] = {};
        for (int n = 0; n < taps.count[x]; ++n) {
            const Lanes weight = all(weights[n]);
            for (int c = 0; c < C; ++c, from += kLanes) sums[c] = add_weighed(sums[c], load(from), weight);
        }
        for (int c = 0; c < C; ++c) narrow(sums[c], bias, &scratch.bytes[(size_t(x) * C + c) * kLanes]);
    }
}

// Give each lane its row back.
TARGET void store(const Scratch& scratch, size_t n, uint8_t* const rows[kLanes]) {
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) transpose(&scratch.bytes[i * kLanes], rows, i);
    for (; i < n; ++i)
        for (size_t lane = 0; lane < kLanes; ++lane) rows[lane][i] = scratch.bytes[i * kLanes + lane];
}

TARGET void run(const Work& work) {
    Scratch& scratch = work.scratch;
    Image& result = work.result;
    for (size_t y = 0; y < result.height; y += kLanes) {
        size_t ends[kLanes];
        uint8_t* targets[kLanes];
        fill_ring(scratch, work.image, work.rows.last(std::min<size_t>(y + kLanes, result.height) - 1));
        gather_taps(work, y, ends, targets);
        weigh_rows(scratch, ends);
        if (result.channels == 1) weigh_columns<1>(scratch, work.columns, result.width, work.bias);
        else if (result.channels == 3) weigh_columns<3>(scratch, work.columns, result.width, work.bias);
        else weigh_columns<4>(scratch, work.columns, result.width, work.bias);
        store(scratch, size_t(result.width) * result.channels, targets);
    }
}
