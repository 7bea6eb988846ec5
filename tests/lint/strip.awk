# C without comments and with empty strings, line by line, "file:line:code".
FNR == 1 { comment = 0 }
{
    rest = $0
    code = ""
    while (rest != "") {
        if (comment) {
            at = index(rest, "*/")
            if (!at)
                break
            comment = 0
            rest = substr(rest, at + 2)
        } else if (match(rest, /\/\*|\/\/|"([^"\\]|\\.)*"|'([^'\\]|\\.)*'/)) {
            token = substr(rest, RSTART, RLENGTH)
            code = code substr(rest, 1, RSTART - 1)
            rest = substr(rest, RSTART + RLENGTH)
            if (token == "//")
                break
            if (token == "/*")
                comment = 1
            else
                code = code substr(token, 1, 1) substr(token, 1, 1)
        } else {
            code = code rest
            rest = ""
        }
    }
    print FILENAME ":" FNR ":" code
}
