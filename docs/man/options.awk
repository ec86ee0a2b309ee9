# Makes the options of rundbrief.ini(5) from config/rundbrief.ini, whose comments come from the option table.
function escape(text) {
    gsub(/\\/, "\\e", text)
    gsub(/\. /, ".\n", text) # a sentence begins a line
    return text ~ /^[.']/ ? "\\&" text : text
}
function flush_text(    i) {
    for (i = 1; i <= count; i++)
        print (lines[i] ~ /^(Values|For example): / ? ".Pp\n" : "") escape(lines[i])
    count = 0
}
/^$/ { if (!section) count = 0; next }
/^#?\[/ {
    if (section)
        print ".El"
    sub(/^#/, "")
    print ".Ss " escape($0)
    flush_text()
    print ".Bl -tag -width Ds"
    section = 1
    next
}
/^# / { lines[++count] = substr($0, 3); next }
/^#$/ { next }
{
    sub(/^#/, "")
    key = $0
    value = ""
    if (match($0, / *= */)) {
        key = substr($0, 1, RSTART - 1)
        value = substr($0, RSTART + RLENGTH)
    }
    print ".It Ic " key (value == "" ? "" : " No = " escape(value))
    flush_text()
}
END { print ".El" }
