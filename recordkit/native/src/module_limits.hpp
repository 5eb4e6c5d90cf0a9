// Limits of a long call: the memory of its images, and the wish to end it early. Python keeps both; a call that does
// not hold the GIL asks them here.
#pragma once

#include "module.hpp"

#include <chrono>

namespace recordkit {

// A MemoryBudget of recordkit.memory, or no limit. The GIL is needed to make and to destroy it.
class Budget {
  public:
    explicit Budget(py::object budget) : budget_(std::move(budget)) {
        if (budget_.is_none()) return;
        share_ = budget_.attr("share").cast<uint64_t>();
        largest_ = budget_.attr("largest").cast<uint64_t>();
    }

    // Bytes that a thread may use without taking them.
    uint64_t share() const { return share_; }

    // Bytes that are taken from the budget for the life of this object. Constructed and destroyed without the GIL,
    // which is taken for images that exceed a thread's share only.
    class Hold {
      public:
        // Waits until the bytes are free. Throws Unsupported if they never can be: the reference engine words the
        // error.
        Hold(const Budget& budget, uint64_t n_bytes) : budget_(budget), n_bytes_(n_bytes) {
            if (n_bytes_ <= budget_.share_) return;
            if (n_bytes_ > budget_.largest_) throw Unsupported("more memory than the budget has");
            const py::gil_scoped_acquire with_gil;
            budget_.budget_.attr("take")(n_bytes_);
        }
        // NOLINTNEXTLINE(bugprone-exception-escape): taking the GIL throws only where Python cannot go on either
        ~Hold() {
            if (n_bytes_ <= budget_.share_) return;
            const py::gil_scoped_acquire with_gil;
            PyObject* const result =
                PyObject_CallMethod(budget_.budget_.ptr(), "give", "K", static_cast<unsigned long long>(n_bytes_));
            if (!result) PyErr_WriteUnraisable(budget_.budget_.ptr());  // Ctrl-C inside `give`
            Py_XDECREF(result);
        }
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;

      private:
        const Budget& budget_;  // outlives this object, on the stack of the same call
        uint64_t n_bytes_;
    };

  private:
    py::object budget_;
    uint64_t share_ = UINT64_MAX, largest_ = UINT64_MAX;
};

// Tells a call to end early. The GIL is needed to make and to destroy it.
class EarlyEnd {
  public:
    // `flag` is a bytearray, whose first byte becomes 1 if nobody waits for the call any more, or None.
    explicit EarlyEnd(py::object flag) : flag_object_(std::move(flag)) {
        if (!flag_object_.is_none()) {
            if (!PyByteArray_Check(flag_object_.ptr()) || PyByteArray_GET_SIZE(flag_object_.ptr()) < 1)
                throw py::type_error("expected a bytearray of 1 byte");
            flag_ = PyByteArray_AS_STRING(flag_object_.ptr());
        }
        const py::object main_thread = py::module_::import("threading").attr("main_thread")();
        is_main_thread_ = main_thread.attr("ident").cast<unsigned long>() == PyThread_get_thread_ident();
    }

    // True if the call is to end now. In the main thread, which alone handles signals, it throws what a handler raises.
    // Called without the GIL, after each image.
    bool is_due() {
        if (flag_ && __atomic_load_n(flag_, __ATOMIC_RELAXED)) return true;
        if (!is_main_thread_) return false;
        const auto now = std::chrono::steady_clock::now();
        if (now - last_check_ > kSignalInterval) {
            last_check_ = now;
            check_signals();
        }
        return false;
    }

  private:
    static constexpr std::chrono::milliseconds kSignalInterval{50};

    py::object flag_object_;
    const char* flag_ = nullptr;  // owned by flag_object_
    bool is_main_thread_ = false;
    std::chrono::steady_clock::time_point last_check_ = std::chrono::steady_clock::now();
};

}  // namespace recordkit
