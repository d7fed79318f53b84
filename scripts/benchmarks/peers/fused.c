/* Softmax regression by minibatch SGD, one thread, one pass over the images.
 *
 * Built with -DP=.. (pixels in a row, a multiple of 8), -DL=.. (labels) and -DLP=.. (rows of W,
 * L rounded up to a multiple of 10; the rows beyond L stay 0).
 *
 * Four images at a time stay in the first-level cache while they are used twice, for their
 * scores and for the gradient. Vectors of 8 floats are AVX2's registers: a tile of 2 images by
 * 5 labels keeps 10 sums in registers, and a row of W or of its gradient that has been read
 * serves several images.
 */
#include <math.h>
#include <string.h>

#define IMAGES 4
#define TILE 5
#define INLINE static inline __attribute__((always_inline))

typedef float vector __attribute__((vector_size(32), aligned(4), may_alias));

INLINE vector load(const float *from) { return *(const vector *)from; }
INLINE void store(float *to, vector v) { *(vector *)to = v; }
INLINE vector everywhere(float s) { return (vector){s, s, s, s, s, s, s, s}; }
INLINE float add_up(vector v) {
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

/* z[i][k] = x[i] . W[k] + b[k] of n images (n is known where this is used) */
INLINE void scores(const int n, const int tile_images, const float *x, const float *W,
                   const float *b, float z[IMAGES][LP]) {
    for (int i = 0; i < n; i += tile_images)
        for (int k = 0; k < LP; k += TILE) {
            vector sum[2][TILE] = {{{0}}};
            const float *row = x + i * P, *w = W + k * P;
            for (int d = 0; d < P; d += 8)
                for (int j = 0; j < TILE; j++) {
                    vector of_label = load(w + j * P + d);
                    for (int m = 0; m < tile_images; m++)
                        sum[m][j] += load(row + m * P + d) * of_label;
                }
            for (int m = 0; m < tile_images; m++)
                for (int j = 0; j < TILE; j++)
                    z[i + m][k + j] = add_up(sum[m][j]) + b[k + j];
        }
}

/* z becomes softmax(z) - onehot(y); returns the sum of the losses */
INLINE double errors_of_scores(const int n, const int *y, float z[IMAGES][LP]) {
    float of_label = 0, product = 1;
    for (int i = 0; i < n; i++) {
        float largest = z[i][0];
        for (int k = 1; k < L; k++) largest = z[i][k] > largest ? z[i][k] : largest;
        for (int k = 0; k < L; k++) z[i][k] -= largest;
        for (int k = L; k < LP; k++) z[i][k] = -1e4f; /* e^-10000 is 0 */
        of_label += z[i][y[i]];
    }
    for (int j = 0; j < n * LP; j++) z[0][j] = expf(z[0][j]);
    for (int i = 0; i < n; i++) {
        float total = 0;
        for (int k = 0; k < LP; k++) total += z[i][k];
        for (int k = 0; k < LP; k++) z[i][k] /= total;
        product *= total; /* each in 1..L, so one logarithm is enough for them all */
        z[i][y[i]] -= 1;
    }
    return logf(product) - of_label;
}

/* G[k] += sum over images of z[i][k] x[i], two labels at a time */
INLINE void add_gradient(const int n, const float *x, float z[IMAGES][LP], float *G, float *g) {
    for (int k = 0; k < LP; k += 2) {
        vector weight[2][IMAGES];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < 2; j++) {
                weight[j][i] = everywhere(z[i][k + j]);
                g[k + j] += z[i][k + j];
            }
        float *first = G + k * P, *second = first + P;
        for (int d = 0; d < P; d += 8) {
            vector u = load(first + d), v = load(second + d);
            for (int i = 0; i < n; i++) {
                vector pixels = load(x + i * P + d);
                u += weight[0][i] * pixels;
                v += weight[1][i] * pixels;
            }
            store(first + d, u);
            store(second + d, v);
        }
    }
}

INLINE double learn(const int n, const int tile_images, const float *x, const int *y,
                    const float *W, const float *b, float *G, float *g) {
    float z[IMAGES][LP];
    scores(n, tile_images, x, W, b, z);
    double loss = errors_of_scores(n, y, z);
    add_gradient(n, x, z, G, g);
    return loss;
}

/* One epoch: n_batches updates of W (LP, P) and b (LP); returns the sum of their mean losses.
 * G (LP, P) and g (LP) are room for the gradients. */
double train_epoch(const float *x, const int *y, long n_batches, long batch_size, float rate,
                   float *W, float *b, float *G, float *g) {
    double total = 0;
    const float step = rate / batch_size;
    for (long batch = 0; batch < n_batches; batch++, x += batch_size * P, y += batch_size) {
        double loss = 0;
        long i = 0;
        memset(G, 0, sizeof(float) * LP * P);
        memset(g, 0, sizeof(float) * LP);
        for (; i + IMAGES <= batch_size; i += IMAGES)
            loss += learn(IMAGES, 2, x + i * P, y + i, W, b, G, g);
        for (; i < batch_size; i++) loss += learn(1, 1, x + i * P, y + i, W, b, G, g);
        for (long j = 0; j < L * P; j++) W[j] -= step * G[j];
        for (int k = 0; k < L; k++) b[k] -= step * g[k];
        total += loss / batch_size;
    }
    return total;
}

INLINE int wrong(const float *z, int label) {
    int best = 0;
    for (int k = 1; k < L; k++)
        if (z[k] > z[best]) best = k;
    return best != label;
}

/* The number of wrong predictions among n images. */
long count_errors(const float *x, const int *y, long n, const float *W, const float *b) {
    float z[IMAGES][LP];
    long n_errors = 0, i = 0;
    for (; i + IMAGES <= n; i += IMAGES) {
        scores(IMAGES, 2, x + i * P, W, b, z);
        for (int m = 0; m < IMAGES; m++) n_errors += wrong(z[m], y[i + m]);
    }
    for (; i < n; i++) {
        scores(1, 1, x + i * P, W, b, z);
        n_errors += wrong(z[0], y[i]);
    }
    return n_errors;
}
