/* clang-tidy sees this in place of gcc's omp.h, which clang cannot read. */
int omp_get_max_threads(void);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
