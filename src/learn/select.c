/* Hoare's selection. */
#include "select.h"

#include <string.h>

#define SIGN 0x80000000u

uint64_t select_entry(uint32_t item, float score)
{
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    bits = bits & SIGN ? ~bits : bits | SIGN;
    return (uint64_t)bits << 32 | (uint32_t)~item;
}

uint32_t select_item(uint64_t entry)
{
    return ~(uint32_t)entry;
}

float select_score(uint64_t entry)
{
    float score;
    uint32_t bits = (uint32_t)(entry >> 32);
    bits = bits & SIGN ? bits & ~SIGN : ~bits;
    memcpy(&score, &bits, sizeof score);
    return score;
}

void select_best(uint64_t *entry, uint32_t count, uint32_t k)
{
    uint64_t *low = entry, *high = entry + count - 1, *last = entry + k - 1;
    while (low < high) {
        uint64_t middle = low[(high - low) / 2], *left = low, *right = high;
        while (left <= right) {
            while (*left > middle)
                left++;
            while (*right < middle)
                right--;
            if (left > right)
                break;
            uint64_t moved = *left;
            *left++ = *right;
            *right-- = moved;
        }
        if (last <= right)
            high = right;
        else if (last >= left)
            low = left;
        else
            return; /* between the two is the middle alone */
    }
}
