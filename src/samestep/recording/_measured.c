/* Digests and norms of arrays, in one pass over their memory.
 *
 * The digest is XXH3's of 128 bits, by the functions of xxhash's own extension, which choose their instructions by the
 * processor; bind() is told where they are. Holds the interpreter's lock: the state of a long digest is shared.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>

#define CHUNK 16384 /* bytes that stay in a processor's nearest cache between digest and norm */
#define LANES 64    /* sums side by side, for the vector units */
#define SIZE 16     /* bytes of a digest */

typedef struct { /* XXH128_hash_t */
    uint64_t low, high;
} Hash;

static struct {
    Hash (*whole)(const void *, size_t);
    int (*reset)(void *);
    int (*update)(void *, const void *, size_t);
    Hash (*digest)(const void *);
    void *state;
} xxh3;

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

FOR_EACH_PROCESSOR static double squares_of_floats(const float *numbers, size_t count)
{
    float lanes[LANES] = {0};
    double sum = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            lanes[lane] += numbers[i + lane] * numbers[i + lane];
    for (int lane = 0; lane < LANES; lane++)
        sum += lanes[lane];
    for (; i < count; i++)
        sum += (double)numbers[i] * numbers[i];
    return sum;
}

static double squares(const void *data, size_t bytes, char format)
{
    double sum = 0;
    if (format == 'f')
        return squares_of_floats(data, bytes / sizeof(float));
    for (size_t i = 0; i < bytes / sizeof(double); i++)
        sum += ((const double *)data)[i] * ((const double *)data)[i];
    return sum;
}

/* In double, where a float overflows and its norm does not. */
static double wide_squares(const float *numbers, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)numbers[i] * numbers[i];
    return sum;
}

static Hash digest_and_squares(const char *data, size_t bytes, char format, double *sum)
{
    *sum = 0;
    if (bytes <= CHUNK) {
        if (format)
            *sum = squares(data, bytes, format);
        return xxh3.whole(data, bytes);
    }
    xxh3.reset(xxh3.state);
    for (size_t done = 0; done < bytes; done += CHUNK) {
        size_t size = bytes - done < CHUNK ? bytes - done : CHUNK;
        xxh3.update(xxh3.state, data + done, size);
        if (format)
            *sum += squares(data + done, size, format);
    }
    return xxh3.digest(xxh3.state);
}

static void put_big_endian(unsigned char *place, uint64_t word)
{
    for (int byte = 0; byte < 8; byte++)
        place[byte] = (unsigned char)(word >> (56 - 8 * byte));
}

static int measure_one(PyObject *array, unsigned char *digest, double *norm)
{
    Py_buffer view;
    *norm = NAN;
    memset(digest, 0, SIZE);
    if (array == Py_None)
        return 0;
    if (PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0)
        return -1;
    char format = view.format && view.format[0] && !view.format[1] ? view.format[0] : 0;
    format = format == 'f' || format == 'd' ? format : 0;
    double sum;
    Hash hash = digest_and_squares(view.buf, (size_t)view.len, format, &sum);
    if (format == 'f' && !(sum < INFINITY))
        sum = wide_squares(view.buf, (size_t)view.len / sizeof(float));
    put_big_endian(digest, hash.high);
    put_big_endian(digest + 8, hash.low);
    if (format)
        *norm = sqrt(sum);
    PyBuffer_Release(&view);
    return 0;
}

static PyObject *measure(PyObject *module, PyObject *arrays)
{
    PyObject *digests = NULL, *norms = NULL, *items = PySequence_Fast(arrays, "a sequence of arrays is needed");
    if (!items)
        return NULL;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(items);
    digests = PyBytes_FromStringAndSize(NULL, count * SIZE);
    norms = PyList_New(count);
    for (Py_ssize_t i = 0; digests && norms && i < count; i++) {
        double norm;
        unsigned char *place = (unsigned char *)PyBytes_AS_STRING(digests) + i * SIZE;
        PyObject *number = NULL;
        if (measure_one(PySequence_Fast_GET_ITEM(items, i), place, &norm) == 0)
            number = PyFloat_FromDouble(norm);
        if (!number)
            Py_CLEAR(norms);
        else
            PyList_SET_ITEM(norms, i, number);
    }
    Py_DECREF(items);
    PyObject *both = digests && norms ? PyTuple_Pack(2, digests, norms) : NULL;
    Py_XDECREF(digests);
    Py_XDECREF(norms);
    return both;
}

static PyObject *bind(PyObject *module, PyObject *places)
{
    unsigned long long whole, reset, update, digest, state;
    if (!PyArg_ParseTuple(places, "KKKKK", &whole, &reset, &update, &digest, &state))
        return NULL;
    xxh3.whole = (Hash(*)(const void *, size_t))(uintptr_t)whole;
    xxh3.reset = (int (*)(void *))(uintptr_t)reset;
    xxh3.update = (int (*)(void *, const void *, size_t))(uintptr_t)update;
    xxh3.digest = (Hash(*)(const void *))(uintptr_t)digest;
    xxh3.state = (void *)(uintptr_t)state;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"bind", bind, METH_VARARGS, "Be told the addresses of XXH3_128bits, its reset, update and digest, and of a state."},
    {"measure", measure, METH_O, "(digests of 16 bytes, norms) of a sequence of arrays in C order, or None; norms of float32 and float64."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_measured", NULL, -1, methods};

PyMODINIT_FUNC PyInit__measured(void)
{
    return PyModule_Create(&definition);
}
