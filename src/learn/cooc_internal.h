/* What counting pairs and estimating it have in common. */
#ifndef LEARN_COOC_INTERNAL_H
#define LEARN_COOC_INTERNAL_H

/* Pairs in one block of a worker's: so many that the system gets the memory back at once. */
#define COOC_BLOCK_PAIRS (4u << 20)

#endif
